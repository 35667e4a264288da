"""Policies as ONNX graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ms_agents.exported_policy import Network

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from onnx import NodeProto

OPSET = 18
IR_VERSION = 8
"""The oldest that has the opset, for the sake of older runtimes."""


def onnx_graph(tensors: Mapping[str, Tensor], network: Network) -> bytes:
    """What :class:`~ms_agents.exported_policy.ExportedPolicy` computes, as a serialised ONNX model.

    Args:
        tensors: Its weights, by its names.
        network: Its architecture.

    Returns:
        A graph from ``observation`` (N, D) to ``action`` (N, A), float32.

    Raises:
        ImportError: If ``onnx`` is not installed.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise ImportError("the format 'onnx' needs a package: pip install 'ms-agents[onnx]'") from error

    graph = _Graph(tensors, network.observation_clip)
    value = graph.perceptron(graph.normalized(), "actor", network.hidden, network.activation)
    if network.flow_steps:
        value = graph.flowed(value, network)
    action = graph.apply("Add", "action_rest", graph.apply("Mul", "action_half_range", value))
    graph.apply("Min", graph.apply("Max", action, "action_low"), "action_high", output="action")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "policy",
            [helper.make_tensor_value_info("observation", TensorProto.FLOAT, ["N", network.observations])],
            [helper.make_tensor_value_info("action", TensorProto.FLOAT, ["N", network.actions])],
            [numpy_helper.from_array(array, name) for name, array in graph.constants.items()],
        ),
        producer_name="ms-agents",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    content: bytes = model.SerializeToString()
    return content


class _Graph:
    """Nodes and constants so far; methods add nodes and return the name of their output."""

    def __init__(self, tensors: Mapping[str, Tensor], observation_clip: float) -> None:
        self.nodes: list[NodeProto] = []
        self.constants = {name: tensor.numpy() for name, tensor in tensors.items()}
        self._bounds = [self.constant(bound) for bound in (-observation_clip, observation_clip)]

    def constant(self, value: ArrayLike, dtype: type[np.generic] = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.array(value, dtype)
        return name

    def apply(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        from onnx import helper

        output = output or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def normalized(self, owner: str = "") -> str:
        """The observation in the scale of the policy, or of a part of it."""
        centred = self.apply("Sub", "observation", f"{owner}observation_mean")
        return self.apply("Clip", self.apply("Mul", centred, f"{owner}observation_scale"), *self._bounds)

    def perceptron(self, value: str, name: str, hidden: Sequence[int], activation: str) -> str:
        """A :func:`~ms_agents.networks.multilayer_perceptron`."""
        for layer in range(len(hidden) + 1):
            value = self._activated(value, activation) if layer else value
            value = self.apply("Gemm", value, f"{name}.{2 * layer}.weight", f"{name}.{2 * layer}.bias", transB=1)
        return value

    def flowed(self, action: str, network: Network) -> str:
        """What :class:`~ms_agents.exported_policy.FlowedAction` does."""
        state, steps = self.normalized("transport."), network.flow_steps
        column = self.apply("Concat", self.apply("Shape", "observation", end=1), self.constant([1], np.int64), axis=0)
        for step in range(steps):
            time = self.apply("Expand", self.constant(step / steps), column)
            inputs = self.apply("Concat", state, action, time, axis=1)
            velocity = self.perceptron(inputs, "transport.velocity.network", network.flow_hidden, "silu")
            action = self.apply("Add", action, self.apply("Div", velocity, self.constant(steps)))
        return action

    def _activated(self, value: str, activation: str) -> str:
        if activation == "silu":
            return self.apply("Mul", value, self.apply("Sigmoid", value))
        return self.apply({"relu": "Relu", "tanh": "Tanh"}[activation], value)
