"""What an action means: three ways to command the same muscles."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.motions.clip import MotionClip
from ms_envs.motions.muscle_table import MuscleTable
from ms_envs.physics import ReflexCommand


class Control(Protocol):
    """Turns actions into what the engine holds over a control step."""

    action_space: Box[Any]

    def command(self, action: NDArray[np.float32], time: NDArray[np.float64]) -> NDArray[np.float64] | ReflexCommand:
        """Command for one control step.

        Args:
            action: One action per environment, (N, A).
            time: Instant at which the step ends, s since the first frame of the clip, (N,).

        Returns:
            Excitations (N, M) or a reflex law.
        """
        ...

    def neutral(self, activation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Actions that leave a body as it is at the start of an episode, (n, A).

        Args:
            activation: Muscle activations at the start, (n, M).
        """
        ...


class ExcitationControl:
    """The action is the excitation of every muscle, in [0, 1] (MS-Emulator, Wei et al. 2026)."""

    def __init__(self, body: Body) -> None:
        self.action_space = Box(0.0, 1.0, (body.model.nu,), np.float32)

    def command(self, action: NDArray[np.float32], time: NDArray[np.float64]) -> NDArray[np.float64]:
        """The actions, clipped into the box."""
        return np.clip(action, 0.0, 1.0).astype(np.float64)

    def neutral(self, activation: NDArray[np.float64]) -> NDArray[np.float64]:
        """The excitations that hold the activations."""
        return activation


@dataclass(frozen=True)
class ReflexGains:
    """Gains of the stretch reflex, dimensionless because lengths count in optimal fibre lengths.

    Attributes:
        tone: Excitation at the target length.
        stiffness: Excitation per unit of stretch.
        damping: Excitation per unit of stretch rate, s.
        feedforward: Share of the activations that balance the clip which is added to the tone; 0 leaves the reflex
            alone.
        delay: Conduction delay between a stretch and the excitation it causes, s; 0.03 is about that of a leg.
    """

    tone: float = 0.02
    stiffness: float = 20.0
    damping: float = 0.7
    feedforward: float = 1.0
    delay: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"reflex {name} must be a number of at least 0, got {value!r}")


class ReflexControl:
    """The action shortens or lengthens the target of a stretch reflex around the reference muscle lengths.

    ``excitation = tone + feedforward · a_ref + stiffness · (l − l*) / l₀ + damping · (v − v*) / l₀`` at every physics
    step, with ``l* = l_ref − scale · action · l₀``: a positive action asks the muscle to be shorter and so excites it.
    ``l``, ``v`` and the reference they are compared with are those of ``delay`` ago. ``a_ref`` are the activations that
    static optimisation finds for the clip. Muscle spindles report stretch and its rate to the motor neurons of the same
    muscle; the brain sets the length at which they fire (Merton 1953; Feldman 1986, the equilibrium-point hypothesis).

    Args:
        body: The body.
        clip: The motion.
        gains: Gains of the reflex.
    """

    SCALE: ClassVar[float] = 0.1
    """Change of target length at the edge of the action box, in optimal fibre lengths."""

    def __init__(self, body: Body, clip: MotionClip, gains: ReflexGains) -> None:
        self.action_space = Box(-1.0, 1.0, (body.model.nu,), np.float32)
        self._table = MuscleTable(clip, body, moment_arms=False)
        self._arc = _ReflexArc(body, gains)
        self._offset = -self.SCALE * body.optimal_fiber_length

    def command(self, action: NDArray[np.float32], time: NDArray[np.float64]) -> ReflexCommand:
        """Reflex law around the shifted reference lengths."""
        length, velocity, activation = self._arc.target(self._table, time)
        return self._arc.around(length + self._offset * np.clip(action, -1.0, 1.0), velocity, activation)

    def neutral(self, activation: NDArray[np.float64]) -> NDArray[np.float64]:
        """No offset."""
        return np.zeros((len(activation), *self.action_space.shape))


class PostureControl:
    """The action offsets the target angle of every independent joint; moment arms make it target muscle lengths.

    The reflex is that of :class:`ReflexControl` with ``l* = l_ref + (∂l/∂q) · scale · action``: the brain commands a
    posture, every muscle that crosses the joint takes part. Few dimensions, all muscles.

    Args:
        body: The body.
        clip: The motion.
        gains: Gains of the reflex.
    """

    SCALE: ClassVar[float] = 0.4
    """Change of target angle at the edge of the action box, rad."""

    def __init__(self, body: Body, clip: MotionClip, gains: ReflexGains) -> None:
        self.action_space = Box(-1.0, 1.0, (len(body.joint_ids),), np.float32)
        self._table = MuscleTable(clip, body, moment_arms=True)
        self._arc = _ReflexArc(body, gains)

    def command(self, action: NDArray[np.float32], time: NDArray[np.float64]) -> ReflexCommand:
        """Reflex law around the muscle lengths of the offset posture."""
        length, velocity, activation = self._arc.target(self._table, time)
        offset = self.SCALE * np.clip(action, -1.0, 1.0)
        shift = np.matmul(self._table.moment_arm_at(time), offset[:, :, None])[:, :, 0]
        return self._arc.around(length + shift, velocity, activation)

    def neutral(self, activation: NDArray[np.float64]) -> NDArray[np.float64]:
        """No offset."""
        return np.zeros((len(activation), *self.action_space.shape))


CONTROLS = ("excitation", "reflex", "posture")
"""Ways to command the muscles."""


def make_control(name: str, body: Body, clip: MotionClip, gains: ReflexGains) -> Control:
    """Build a control.

    Args:
        name: One of :data:`CONTROLS`.
        body: The body.
        clip: The motion.
        gains: Gains of the stretch reflex, where there is one.

    Returns:
        The control.

    Raises:
        ValueError: If the name is unknown.
    """
    if name == "excitation":
        return ExcitationControl(body)
    if name == "reflex":
        return ReflexControl(body, clip, gains)
    if name == "posture":
        return PostureControl(body, clip, gains)
    raise ValueError(f"unknown control {name!r}; choose one of {', '.join(map(repr, CONTROLS))}")


class _ReflexArc:
    """Stretch reflex of all muscles around any target."""

    def __init__(self, body: Body, gains: ReflexGains) -> None:
        self._tone = gains.tone
        self._feedforward = gains.feedforward / body.strength  # the clip's activations are those of normal strength
        self._length_gain = gains.stiffness / body.optimal_fiber_length
        self._velocity_gain = gains.damping / body.optimal_fiber_length
        self._delay = gains.delay

    def target(
        self, table: MuscleTable, time: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Reference lengths and velocities to compare with what arrives at a time, and activations of that time."""
        length, velocity, activation = table.at(time)
        if self._delay:
            length, velocity, _ = table.at(time - self._delay)
        return length, velocity, activation

    def around(
        self, length: NDArray[np.float64], velocity: NDArray[np.float64], activation: NDArray[np.float64]
    ) -> ReflexCommand:
        bias = self._tone + self._feedforward * activation
        bias -= self._length_gain * length
        bias -= self._velocity_gain * velocity
        return ReflexCommand(bias, self._length_gain, self._velocity_gain)
