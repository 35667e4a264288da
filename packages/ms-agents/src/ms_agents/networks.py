"""Multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

_ACTIVATIONS: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "relu": nn.ReLU, "tanh": nn.Tanh}


def multilayer_perceptron(inputs: int, hidden: Sequence[int], outputs: int, activation: str) -> nn.Sequential:
    """Fully connected network with a linear output.

    Args:
        inputs: Width of the input.
        hidden: Widths of the hidden layers.
        outputs: Width of the output.
        activation: ``"silu"``, ``"relu"`` or ``"tanh"``.

    Returns:
        The network.
    """
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), _ACTIVATIONS[activation]()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def split_first_layer(network: nn.Sequential, state: Tensor) -> tuple[Tensor, Tensor, nn.Sequential]:
    """Let the first layer of a network see states only once that are met by many actions.

    Args:
        network: A perceptron whose input is a state, and then whatever meets it.
        state: (B, D).

    Returns:
        What the states contribute to the first layer, (B, H), the weight of the other inputs, (K, H), and the layers
        after it: the network gives ``rest(known + others @ weight)``.
    """
    layer = network[0]
    assert isinstance(layer, nn.Linear)
    width = state.shape[-1]
    return nn.functional.linear(state, layer.weight[:, :width], layer.bias), layer.weight[:, width:].T, network[1:]
