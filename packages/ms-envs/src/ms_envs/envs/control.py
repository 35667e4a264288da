"""What an action means: three ways to command the same muscles."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.bodies.joint_moments import joint_moments
from ms_envs.envs.reflex_law import ReflexTables, posture_offset, reflex_command, shortening
from ms_envs.motions.clip import MotionClip
from ms_envs.motions.muscle_table import MuscleTable
from ms_envs.physics import ReflexCommand

MOMENT_POSTURES = 20
"""Evenly spaced postures of the clip that the moments of actions are averaged over."""


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

    def __init__(self, body: Body, clip: MotionClip, gains: ReflexGains) -> None:
        self.action_space = Box(-1.0, 1.0, (body.model.nu,), np.float32)
        self.tables = reflex_tables(body, MuscleTable(clip, body, moment_arms=False), gains)
        self._timeline, self._delay = clip.timeline, gains.delay

    def command(self, action: NDArray[np.float32], time: NDArray[np.float64]) -> ReflexCommand:
        """Reflex law around the shifted reference lengths."""
        offset = shortening(np, self.tables, action)
        return reflex_command(np, self._timeline, self.tables, self._delay, offset, time)

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

    def __init__(self, body: Body, clip: MotionClip, gains: ReflexGains) -> None:
        self.action_space = Box(-1.0, 1.0, (len(body.joint_ids),), np.float32)
        self.tables = reflex_tables(body, MuscleTable(clip, body, moment_arms=True), gains)
        self._timeline, self._delay = clip.timeline, gains.delay

    def command(self, action: NDArray[np.float32], time: NDArray[np.float64]) -> ReflexCommand:
        """Reflex law around the muscle lengths of the offset posture."""
        offset = posture_offset(np, self._timeline, self.tables, action, time)
        return reflex_command(np, self._timeline, self.tables, self._delay, offset, time)

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


def reflex_tables(body: Body, table: MuscleTable, gains: ReflexGains) -> ReflexTables:
    """What the stretch reflex of a body must know, from its muscles along the clip."""
    return ReflexTables(
        length=table.length,
        velocity=table.velocity,
        activation=table.activation,
        moment_arm=table.moment_arm,
        optimal_fiber_length=body.optimal_fiber_length,
        tone=gains.tone,
        feedforward=gains.feedforward / body.strength,
        length_gain=gains.stiffness / body.optimal_fiber_length,
        velocity_gain=gains.damping / body.optimal_fiber_length,
    )


def action_moments(control: str, body: Body, clip: MotionClip) -> NDArray[np.float64] | None:
    """Joint moments of each muscle at its peak force, mean over postures of a clip, N·m, (J, A).

    ``None`` if actions do not command muscles one by one.
    """
    if control == "posture":
        return None
    frames = np.linspace(0, len(clip.qpos) - 1, MOMENT_POSTURES).astype(int)
    return joint_moments(body, clip.qpos[frames])
