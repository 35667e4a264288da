"""Policies as exported files: what they hold, and how to act with them on torch and numpy alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import gymnasium
import numpy as np
import safetensors.torch
import torch
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from ms_agents.exploration.velocity import VelocityField
from ms_agents.identity import check_identity
from ms_agents.networks import multilayer_perceptron

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
WEIGHTS = "policy.safetensors"
GRAPH = "policy.onnx"


@dataclass(frozen=True)
class Network:
    """Architecture of an exported policy.

    Attributes:
        observations: Width of an observation, D.
        actions: Width of an action, A.
        hidden: Widths of the hidden layers.
        activation: One of :data:`ms_agents.hyperparameters.ACTIVATIONS`.
        observation_clip: Bound on normalised observations.
        explorer: One of :data:`TRANSPORTS`.
        flow_hidden: Widths of the hidden layers of the velocity field, where the explorer has one.
        flow_steps: Euler steps along it.
    """

    observations: int
    actions: int
    hidden: Sequence[int]
    activation: str
    observation_clip: float
    explorer: str
    flow_hidden: Sequence[int] = ()
    flow_steps: int = 0


class MeanAction(nn.Module):
    """The deterministic action of an explorer that only shapes noise: the mean of the base policy.

    Args:
        network: Architecture.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()

    def forward(self, observation: Tensor, mean: Tensor) -> Tensor:
        """The mean, (N, A)."""
        return mean


class FlowedAction(nn.Module):
    """The deterministic action of the flow explorer: where the mean of the base policy flows to.

    Args:
        network: Architecture.
    """

    observation_mean: Tensor
    observation_scale: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._clip, self._steps = network.observation_clip, network.flow_steps
        for name in ("observation_mean", "observation_scale"):
            self.register_buffer(name, torch.zeros(network.observations))
        self.velocity = VelocityField(network.observations, network.actions, network.flow_hidden)

    def forward(self, observation: Tensor, mean: Tensor) -> Tensor:
        """Euler integration over unit time, from means and to actions in half ranges, (N, A)."""
        state = ((observation - self.observation_mean) * self.observation_scale).clamp(-self._clip, self._clip)
        return self.velocity.integrate(state, mean, self._steps)


TRANSPORTS: dict[str, type[MeanAction] | type[FlowedAction]] = {
    "GaussianExplorer": MeanAction,
    "StateDependentExplorer": MeanAction,
    "CorrelatedExplorer": MeanAction,
    "FlowExplorer": FlowedAction,
}
"""Explorer to the module that carries the mean of the base policy to the deterministic action.

The map of the correlated explorer is linear; the last layer of the exported actor contains it.
"""


@dataclass(frozen=True)
class Manifest:
    """What an exported policy is and which environment it was made for.

    Attributes:
        environment_id: Id of the environment.
        environment_arguments: Arguments of the environment, such as ``body`` and ``control``.
        identity: What :func:`ms_agents.identity.environment_identity` says of it, hashes of body and clip included.
        observation_layout: Block of the observation to its start and stop.
        action_space: ``low`` and ``high``, one bound per action.
        network: Architecture.
        versions: Package to the version that exported the policy.
        source: The run it came from: steps, seed, aggregator.
        files: Name to SHA-256 of each file beside the manifest.
        score: Tracking report of the policy, if there is one.
        format: Version of this format.
    """

    environment_id: str
    environment_arguments: Mapping[str, Any]
    identity: Mapping[str, Any]
    observation_layout: Mapping[str, Sequence[int]]
    action_space: Mapping[str, Sequence[float]]
    network: Network
    versions: Mapping[str, str]
    source: Mapping[str, Any]
    files: Mapping[str, str]
    score: Mapping[str, Any] | None = None
    format: int = field(default=FORMAT_VERSION, kw_only=True)

    def to_json(self) -> str:
        """The manifest as JSON."""
        return json.dumps(asdict(self), indent=1, default=str) + "\n"

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the manifest of an exported folder.

        Raises:
            ValueError: If there is none, or it is damaged or of another format.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise ValueError(f"{folder} is not an exported policy: it has no {MANIFEST}")
        try:
            content = json.loads(path.read_text())
            version = content["format"]
            if version == FORMAT_VERSION:
                return cls(**content | {"network": Network(**content["network"])})
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        raise ValueError(f"{path} has format {version!r}, this package reads {FORMAT_VERSION}")

    def check(self, env: VectorEnv[Any, Any, Any]) -> None:
        """Refuse an environment that the policy was not made for.

        Raises:
            ValueError: If it differs; the message says in what.
        """
        check_identity(self.identity, env)
        layout = observation_layout(env)
        for block in {**self.observation_layout, **layout}:
            own, given = self.observation_layout.get(block), layout.get(block)
            if own != given:
                raise ValueError(f"the policy has block {block!r} of the observation at {own}, the environment {given}")
        box: Any = env.single_action_space
        low, high = (np.array(self.action_space[side], box.dtype) for side in ("low", "high"))
        if low.shape != box.shape or Box(low, high, dtype=box.dtype) != box:
            raise ValueError(f"the policy has action space {Box(low, high, dtype=box.dtype)}, the environment {box}")


def observation_layout(env: VectorEnv[Any, Any, Any]) -> dict[str, list[int]]:
    """Block of the observation to its start and stop; one block where the environment names none."""
    box: Any = env.single_observation_space
    slices = getattr(env.unwrapped, "observation_slices", {"observation": slice(0, box.shape[0])})
    return {name: [block.start, block.stop] for name, block in slices.items()}


class ExportedPolicy(nn.Module):
    """The deterministic half of a policy.

    The action is ``rest + half_range * transport(observation, actor(normalised observation))``, clipped into the box;
    the normalised observation is ``(observation - mean) * scale``, clipped to ``±observation_clip``.

    Args:
        manifest: What the policy is; :func:`load_policy` fills in the weights.
    """

    observation_mean: Tensor
    observation_scale: Tensor
    action_rest: Tensor
    action_half_range: Tensor
    action_low: Tensor
    action_high: Tensor

    def __init__(self, manifest: Manifest) -> None:
        super().__init__()
        self.manifest = manifest
        network = manifest.network
        for name in ("observation_mean", "observation_scale"):
            self.register_buffer(name, torch.zeros(network.observations))
        for name in ("action_rest", "action_half_range", "action_low", "action_high"):
            self.register_buffer(name, torch.zeros(network.actions))
        self.actor = multilayer_perceptron(network.observations, network.hidden, network.actions, network.activation)
        self.transport = TRANSPORTS[network.explorer](network)

    def forward(self, observation: Tensor) -> Tensor:
        """Actions inside the box, (N, A), for raw observations (N, D)."""
        clip = self.manifest.network.observation_clip
        normalized = ((observation - self.observation_mean) * self.observation_scale).clamp(-clip, clip)
        action = self.action_rest + self.action_half_range * self.transport(observation, self.actor(normalized))
        return action.clamp(self.action_low, self.action_high)

    @torch.no_grad()
    def predict(
        self, observation: NDArray[np.float32], *, deterministic: bool = True
    ) -> tuple[NDArray[np.float32], None]:
        """Act.

        Args:
            observation: (N, D) or (D,).
            deterministic: Must be true; exploration is not exported.

        Returns:
            Actions, (N, A) or (A,), and no state.

        Raises:
            ValueError: If the observation has another width, or exploration is asked for.
        """
        if not deterministic:
            raise ValueError("an exported policy acts deterministically only")
        tensor = torch.as_tensor(observation, dtype=torch.float32, device=self.action_low.device)
        width = self.manifest.network.observations
        if tensor.ndim not in (1, 2) or tensor.shape[-1] != width:
            raise ValueError(f"the policy takes observations ({width},) or (N, {width}), got {tuple(tensor.shape)}")
        return self(tensor).cpu().numpy(), None


def load_policy(folder: str | os.PathLike[str], env: VectorEnv[Any, Any, Any] | None = None) -> ExportedPolicy:
    """Load a policy that :func:`ms_agents.export_policy` wrote; this never runs code from its files.

    Args:
        folder: The exported folder.
        env: Environment that the policy has to fit; by default none is checked.

    Returns:
        The policy.

    Raises:
        ValueError: If the folder is damaged, or the policy was made for another environment.
    """
    folder = Path(folder)
    manifest = Manifest.load(folder)
    if env is not None:
        manifest.check(env)
    path = folder / WEIGHTS
    if WEIGHTS not in manifest.files or not path.is_file():
        raise ValueError(f"{folder} has no {WEIGHTS}; export the policy in the format 'safetensors'")
    content = path.read_bytes()
    if sha256(content) != manifest.files[WEIGHTS]:
        raise ValueError(f"{path} is damaged or of another export: it has not the hash that {MANIFEST} gives")
    try:
        policy = ExportedPolicy(manifest)
        policy.load_state_dict(safetensors.torch.load(content))
    except (SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"{path} does not fit {MANIFEST}: {' '.join(str(error).split())}") from error
    return policy


def load_exported(folder: Path) -> tuple[ExportedPolicy, str, dict[str, Any]]:
    """An exported policy and what it was trained in.

    Args:
        folder: The exported folder.

    Returns:
        The policy, the id of its environment and the arguments to make that with.

    Raises:
        ValueError: If the folder is damaged, or the environment made now is not the one it was trained in.
    """
    policy = load_policy(folder)
    env_id, arguments = policy.manifest.environment_id, dict(policy.manifest.environment_arguments)
    env = gymnasium.make_vec(env_id, num_envs=1, **arguments)
    try:
        policy.manifest.check(env)
    finally:
        env.close()
    return policy, env_id, arguments


def sha256(content: bytes) -> str:
    """Hash of a file's content."""
    return hashlib.sha256(content).hexdigest()
