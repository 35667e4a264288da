"""Arguments of the tracking environments, checked once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ms_envs.bodies import DEFAULT_BODY
from ms_envs.envs.control import CONTROLS, ReflexGains
from ms_envs.motions import REPAIRED, load_clip, motions_of
from ms_envs.task.objectives import OBJECTIVES
from ms_envs.task.observation import MUSCLE_SIGNALS
from ms_envs.task.reward import checked_weights
from ms_envs.task.termination import Termination

if TYPE_CHECKING:
    from ms_envs.bodies.body import Body
    from ms_envs.motions.clip import MotionClip

MUSCLE_PATHS = ("exact", "fitted")
"""How muscle lengths are found: by the geometry of MuJoCo, or by functions of joint angles fitted to it."""

RESETS = ("uniform", "start", "adaptive")
"""Where in the motion episodes start: anywhere, always at its first frame, or more often where they fail."""

MAX_SUPPORT = 200.0
"""Stiffest spring on the root, rad/s; time steps of 2 ms cannot follow one much stiffer."""


@dataclass(frozen=True)
class TrackingOptions:
    """What can be chosen when an environment is made.

    Attributes:
        body: Name of the body.
        body_options: Options of that body, such as ``{"free_fingers": True}``.
        strength: Factor on every muscle's peak isometric force.
        control: ``"excitation"``, ``"reflex"`` or ``"posture"``.
        reflex: Gains of the stretch reflex, see :class:`ms_envs.envs.control.ReflexGains`.
        muscle_paths: ``"exact"`` or, for several times the speed of the full bodies on the CPU, ``"fitted"``.
        clip: ``"repaired"`` for the variant of the suite's clip that gravity and floor explain better, or the path of a
            clip of your own.
        control_rate: Actions per second.
        timestep: Physics time step, s; the control step must be a whole number of them.
        horizon: Longest episode, s; by default 10 s of a looping motion, or to the end of another.
        lookahead: How far ahead the observed reference frames are, s.
        muscle_signals: Observed muscle signals, from ``activation``, ``length``, ``velocity``, ``force``.
        root_termination: Distance of the root from the reference that ends an episode, m.
        key_body_termination: Distance of a key body from the reference that ends it, each relative to its root, m.
        root_support: Natural frequency of a critically damped spring that pulls the root onto the reference, rad/s;
            0 leaves the body to itself, 40 holds it up.
        reset_distribution: ``"uniform"`` over the motion, ``"start"``, or ``"adaptive"``: more often where episodes
            fail, see :mod:`ms_envs.task.reset`.
        reset_noise: Standard deviation of joint angles at the start, rad; ten times that per second for velocities.
        reward_terms: Weights of the hand-tuned reward; see :data:`ms_envs.task.reward.DEFAULT_REWARD`.
        objectives: What is appended to the tracking error, from ``effort``, ``power``, ``action_rate``; see
            :func:`ms_envs.task.objectives.objective_values`.
        action_smoothing: Time constant of a first-order low-pass filter on the actions, s; 0 for none.
    """

    body: str = DEFAULT_BODY
    body_options: Mapping[str, bool] = field(default_factory=dict)
    strength: float = 1.0
    control: str = "excitation"
    reflex: Mapping[str, float] = field(default_factory=dict)
    muscle_paths: str = "exact"
    clip: str | os.PathLike[str] | None = None
    control_rate: float = 50.0
    timestep: float = 0.002
    horizon: float | None = None
    lookahead: tuple[float, ...] = (0.02, 0.04, 0.1)
    muscle_signals: tuple[str, ...] = ("activation",)
    root_termination: float = Termination().root
    key_body_termination: float = Termination().key_body
    root_support: float = 0.0
    reset_distribution: str = "uniform"
    reset_noise: float = 0.0
    reward_terms: Mapping[str, float] | None = None
    objectives: tuple[str, ...] = ()
    action_smoothing: float = 0.0

    def __post_init__(self) -> None:
        _one_of("control", self.control, CONTROLS)
        _one_of("muscle_paths", self.muscle_paths, MUSCLE_PATHS)
        _one_of("reset_distribution", self.reset_distribution, RESETS)
        for signal in self.muscle_signals:
            _one_of("muscle signal", signal, MUSCLE_SIGNALS)
        for objective in self.objectives:
            _one_of("objective", objective, OBJECTIVES)
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError(f"objectives must differ from each other, got {self.objectives!r}")
        for name in ("control_rate", "timestep", "root_termination", "key_body_termination"):
            _positive(name, getattr(self, name))
        if self.horizon is not None:
            _positive("horizon", self.horizon)
        if not 0 <= self.root_support <= MAX_SUPPORT:
            raise ValueError(f"root_support must be between 0 and {MAX_SUPPORT:g} rad/s, got {self.root_support!r}")
        if not 0 <= self.action_smoothing < float("inf"):
            raise ValueError(f"action_smoothing must be a number of at least 0 s, got {self.action_smoothing!r}")
        if not 0 <= self.reset_noise < 1:
            raise ValueError(f"reset_noise must be in [0, 1) rad, got {self.reset_noise!r}")
        if not self.lookahead or min(self.lookahead) < 0:
            raise ValueError(f"lookahead needs at least one time, none of them negative, got {self.lookahead!r}")
        ratio = 1 / (self.control_rate * self.timestep)
        if round(ratio) < 1 or abs(ratio - round(ratio)) > 1e-6 * ratio:
            raise ValueError(
                f"a control step of {1 / self.control_rate:g} s is not a whole number of time steps of "
                f"{self.timestep:g} s; choose a control_rate that divides {1 / self.timestep:g}"
            )
        checked_weights(self.reward_terms)
        object.__setattr__(self, "reflex", asdict(self.reflex_gains))  # what was left out is part of the task as well
        steps = self.reflex_gains.delay / self.timestep
        if abs(steps - round(steps)) > 1e-6 * max(steps, 1):
            raise ValueError(
                f"a reflex delay of {self.reflex_gains.delay:g} s is not a whole number of time steps of "
                f"{self.timestep:g} s"
            )

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> TrackingOptions:
        """Options from keyword arguments.

        Raises:
            ValueError: If a name is unknown or a value unusable; the message lists the choices.
        """
        valid = [f.name for f in fields(cls)]
        unknown = sorted(set(arguments) - set(valid))
        if unknown:
            raise ValueError(f"unknown arguments {unknown}; choose from {valid}")
        return cls(**arguments)

    def load_clip(self, motion: str, body: Body) -> MotionClip:
        """The clip to imitate, of a motion of the suite unless ``clip`` names another."""
        clip, known = self.clip, (REPAIRED, *motions_of(body.name))
        if isinstance(clip, str) and not clip.endswith(".npz") and clip not in known:
            raise ValueError(f"unknown clip {clip!r}; give the path of an .npz file, or one of {', '.join(known)}")
        return load_clip(motion if clip in (REPAIRED, None) else clip, body, repaired=clip == REPAIRED)

    @property
    def substeps(self) -> int:
        """Physics steps in one control step."""
        return round(1 / (self.control_rate * self.timestep))

    @property
    def control_timestep(self) -> float:
        """Length of one control step, s."""
        return self.substeps * self.timestep

    @property
    def observes_action(self) -> bool:
        """Whether the action in effect is part of the state, and so observed."""
        return self.action_smoothing > 0 or "action_rate" in self.objectives

    @property
    def reflex_delay(self) -> int:
        """Conduction delay of the stretch reflex, physics steps."""
        return round(self.reflex_gains.delay / self.timestep)

    @property
    def reflex_gains(self) -> ReflexGains:
        """Gains of the stretch reflex, defaults filled in."""
        valid = [f.name for f in fields(ReflexGains)]
        unknown = sorted(set(self.reflex) - set(valid))
        if unknown:
            raise ValueError(f"unknown reflex gains {unknown}; choose from {valid}")
        return ReflexGains(**self.reflex)


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}; choose one of {', '.join(map(repr, choices))}")


def _positive(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a positive number, got {value!r}")
