"""When muscles are active in walking: static optimisation beside published electromyography (EMG).

Both are patterns of on and off over the gait cycle, which begins with the contact of the foot of the same leg. Their
agreement is the share of the cycle where both are on or both are off. Its mean over all circular shifts of the
prediction is the agreement by chance, and Cohen's kappa is what exceeds it: 0 by chance, 1 for equal patterns.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ms_envs import Body, MotionClip, load_body, load_clip
from ms_envs.inverse import inverse_solution
from numpy.typing import NDArray

NORMATIVE = Path(__file__).with_name("normative_emg.json")
"""Published intervals of activity, and where they come from."""
SIDES = "rl"
"""Legs in the order of ``MotionClip.contact``."""
PERCENT = np.arange(100) + 0.5
"""Instants of the gait cycle at which patterns are compared."""
FLOOR = 0.02
"""Activation below which a muscle is off in any case."""


@dataclass(frozen=True)
class Muscle:
    """Published timing of a muscle.

    Attributes:
        name: Its name.
        compartments: Names of its parts in the bodies, without the side.
        on: First and last percent of the gait cycle of every interval of activity.
    """

    name: str
    compartments: tuple[str, ...]
    on: tuple[tuple[float, float], ...]

    @property
    def pattern(self) -> NDArray[np.bool_]:
        """Whether the muscle is active at :data:`PERCENT`, (100,)."""
        return np.any([(first <= PERCENT) & (last >= PERCENT) for first, last in self.on], axis=0)


class Agreement(NamedTuple):
    """Agreement of patterns.

    Attributes:
        share: Share of the cycle on which they agree, (...).
        chance: Its mean over all circular shifts, (...).
        kappa: Cohen's kappa, (...).
    """

    share: NDArray[np.float64]
    chance: NDArray[np.float64]
    kappa: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What static optimisation predicts for a walking body.

    Attributes:
        body: Name of the body.
        activation: Of both legs and K muscles at :data:`PERCENT`, (2, K, 100).
        gait: Speed, cadence and posture of the walk.
        unreachable: Share of the joint torque that the muscles do not reach.
    """

    body: str
    activation: NDArray[np.float64]
    gait: dict[str, float]
    unreachable: float


def normative() -> tuple[dict[str, str], list[Muscle]]:
    """The published source and its muscles."""
    content = json.loads(NORMATIVE.read_text())
    return content["source"], [
        Muscle(row["name"], tuple(row["compartments"]), tuple((first, last) for first, last in row["on"]))
        for row in content["muscles"]
    ]


def predict(name: str, muscles: Sequence[Muscle]) -> Prediction:
    """Activation of muscles over the gait cycle, by static optimisation of the walk of a body.

    Raises:
        ValueError: If the body is unknown, or lacks one of the muscles.
    """
    body = load_body(name)
    clip = load_clip("walk", body)
    solution = inverse_solution(body, clip)
    activation = [
        [over_gait_cycle(mean_activation(solution.activation, body, muscle, side), clip, leg) for muscle in muscles]
        for leg, side in enumerate(SIDES)
    ]
    return Prediction(body.name, np.array(activation), gait(body, clip), solution.unreachable)


def mean_activation(activation: NDArray[np.float64], body: Body, muscle: Muscle, side: str) -> NDArray[np.float64]:
    """Activation of a muscle: mean over its compartments, weighted by their peak force.

    Args:
        activation: Of all muscles of the body, (T, M).
        body: The body.
        muscle: The muscle.
        side: ``"r"`` or ``"l"``.

    Returns:
        Activation, (T,).

    Raises:
        ValueError: If the body lacks a compartment.
    """
    names = [f"{compartment}_{side}" for compartment in muscle.compartments]
    if missing := [name for name in names if name not in body.muscle_names]:
        raise ValueError(f"body {body.name!r} has no muscle {', '.join(missing)}, part of {muscle.name}")
    index = [body.muscle_names.index(name) for name in names]
    mean: NDArray[np.float64] = np.average(activation[:, index], axis=1, weights=body.peak_force[index])
    return mean


def over_gait_cycle(values: NDArray[np.float64], clip: MotionClip, leg: int) -> NDArray[np.float64]:
    """Values over the gait cycle of a leg, averaged over the cycles of a clip.

    Args:
        values: One for each frame, (T,).
        clip: The motion.
        leg: 0 for the right one, 1 for the left one.

    Returns:
        Values at :data:`PERCENT` of the cycle from one initial contact to the next, (100,).

    Raises:
        ValueError: If the clip does not loop, or the foot never meets the floor in it.
    """
    starts = initial_contacts(clip, leg)
    frames = len(values) - 1
    lengths = np.diff(starts, append=starts[0] + frames)
    instants = starts[:, None] + PERCENT / 100 * lengths[:, None]
    cycles = np.interp(instants, np.arange(frames), values[:-1], period=frames)
    mean: NDArray[np.float64] = cycles.mean(axis=0)
    return mean


def initial_contacts(clip: MotionClip, leg: int) -> NDArray[np.intp]:
    """Frames at which a foot meets the floor.

    Raises:
        ValueError: If the clip does not loop, or the foot never meets the floor in it.
    """
    if not clip.loop:
        raise ValueError(f"clip {clip.motion!r} does not loop; a gait cycle needs one that does")
    contact = clip.contact[:-1, leg]
    starts: NDArray[np.intp] = np.flatnonzero(contact & ~np.roll(contact, 1))
    if not starts.size:
        raise ValueError(f"the {('right', 'left')[leg]} foot never meets the floor in clip {clip.motion!r}")
    return starts


def active(activation: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Whether muscles are on: above :data:`FLOOR` and a share of their own peak.

    Args:
        activation: Over the gait cycle, (..., 100).
        threshold: Share of the peak.

    Returns:
        Patterns, (..., 100).
    """
    pattern: NDArray[np.bool_] = activation > np.maximum(threshold * activation.max(axis=-1, keepdims=True), FLOOR)
    return pattern


def compare(predicted: NDArray[np.bool_], published: NDArray[np.bool_]) -> Agreement:
    """Agreement of predicted patterns (..., 100) with published ones (..., 100), which are neither all on nor all off.

    Cohen J. A coefficient of agreement for nominal scales. Educ Psychol Meas 20:37–46, 1960.
    """
    share = (predicted == published).mean(axis=-1)
    ours, theirs = predicted.mean(axis=-1), published.mean(axis=-1)
    chance = ours * theirs + (1 - ours) * (1 - theirs)
    return Agreement(share, chance, (share - chance) / (1 - chance))


def common_shifts(predicted: NDArray[np.bool_], published: NDArray[np.bool_]) -> dict[int, float]:
    """Mean kappa if all predictions came later by a percentage of the cycle, from −50 to 49."""
    return {
        shift: float(compare(np.roll(predicted, shift, axis=-1), published).kappa.mean()) for shift in range(-50, 50)
    }


def gait(body: Body, clip: MotionClip) -> dict[str, float]:
    """Speed (m/s), cadence (steps/min), stance (% of the cycle) and angles (degrees, both legs' mean) of a walk."""

    def angle(role: str) -> NDArray[np.float64]:
        joints = [body.qpos_index[body.joint_roles[f"{role}_{side}"][0]] for side in SIDES]
        return np.degrees([over_gait_cycle(clip.qpos[:, joint], clip, leg) for leg, joint in enumerate(joints)])

    steps = sum(len(initial_contacts(clip, leg)) for leg in range(len(SIDES)))
    return {
        "speed": float(np.linalg.norm(clip.cycle_offset) / clip.duration),
        "cadence": 60 * steps / clip.duration,
        "stance": 100 * float(clip.contact[:-1].mean()),
        "knee_at_contact": float(angle("knee")[:, 0].mean()),
        "knee_at_most": float(angle("knee").max(axis=1).mean()),
        "ankle_at_most": float(angle("ankle").max(axis=1).mean()),
    }
