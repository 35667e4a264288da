"""Targets that respect the ground: soles on the floor, feet still under load, swinging feet clear of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from ms_envs.retarget.limbs import bend_elbows, bend_knees
from ms_envs.retarget.skeleton import SIDES, Skeleton
from ms_envs.retarget.source import SourceMotion
from ms_envs.retarget.targets import KeyPointTargets, SegmentTargets
from ms_envs.retarget.timeline import around, fill, frames_away, middle, runs

TOUCH_HEIGHT = 0.035
"""A point of the recorded foot is on the ground this close to its lowest heights, m."""
TOUCH_SPEED = 1.3
"""... and when it moves slower than this, m/s."""
PIN_SPEED = 0.6
"""A point that touches and is slower than this stands still, m/s."""
SHORTEST_TOUCH = 3
"""Touches of fewer frames are overlooked, and so are gaps."""
CLEARANCE = 0.05
"""Height a swinging foot should have over the ground, m: models' toes are longer than the recorded foot."""
CLEARANCE_RAMP = 6
"""Frames from leaving the ground to full clearance."""
SWING_BEND = 0.15
"""Upward bend of the toes of a swinging foot, rad: muscles hold no more against the plantar fascia."""
PIVOT_ANGLE = np.radians(12.0)
"""A flat foot that turns by more than this over a stance pivots instead of standing still."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """What of the recorded body is on the ground.

    Attributes:
        touching: ``heel_r``, ``ball_l``, … to whether the point is on the ground, bool, (T,).
        still: The same points to whether they stand still there, bool, (T,).
        kneeling: Whether the body is on its knees and arms instead, bool, (T,).
    """

    touching: dict[str, NDArray[np.bool_]]
    still: dict[str, NDArray[np.bool_]]
    kneeling: NDArray[np.bool_]

    def feet(self) -> NDArray[np.bool_]:
        """Whether the right and the left foot bear load, (T, 2)."""
        return np.stack([self.touching[f"heel_{s}"] | self.touching[f"ball_{s}"] for s in SIDES], axis=1)

    def standing(self) -> Contacts:
        """The same without feet while the body kneels: they lie as they are recorded."""
        touching, still = (
            {name: flags & ~self.kneeling for name, flags in points.items()} for points in (self.touching, self.still)
        )
        return replace(self, touching=touching, still=still)


def detect(motion: SourceMotion, kneeling: NDArray[np.bool_]) -> Contacts:
    """Find when heels and balls of the feet are on the ground, by height and speed.

    Args:
        motion: The motion.
        kneeling: Whether the body is on its knees and arms, bool, (T,).

    Returns:
        What is on the ground.
    """
    touching, still = {}, {}
    for name in (f"{point}_{side}" for side in SIDES for point in ("heel", "ball")):
        place = around(motion, motion.landmarks[name], motion.root_position[-1] - motion.root_position[0])
        place = gaussian_filter1d(place, 1.0, axis=0, mode="nearest")
        speed = np.linalg.norm(np.gradient(place, axis=0), axis=1) * motion.fps
        lowest = np.clip(np.percentile(place[:, 2], 5), 0.0, 0.05)
        touch = _regular((place[:, 2] < lowest + TOUCH_HEIGHT) & (speed < TOUCH_SPEED))
        touching[name] = middle(motion, touch)
        still[name] = middle(motion, _regular(touch & (speed < PIN_SPEED)) & touch)
    return Contacts(touching, still, kneeling)


def on_ground(
    skeleton: Skeleton,
    motion: SourceMotion,
    contacts: Contacts,
    points: KeyPointTargets,
    segments: SegmentTargets,
    lift: Mapping[str, NDArray[np.float64]],
) -> tuple[KeyPointTargets, SegmentTargets]:
    """Put the feet of a motion on the ground.

    First the whole body is moved up or down so that touching soles meet z = 0; then each foot is turned flat while
    heel and ball touch, held in place while it stands still, rolled about its ball while the heel is up, and lifted
    where it would swing too low. Toes bend to stay level.

    Args:
        skeleton: The body's proportions.
        motion: The motion.
        contacts: What touches.
        points: Key points as :func:`ms_envs.retarget.skeleton.key_points` gives them.
        segments: Segment orientations.
        lift: How far to raise ``trunk``, ``foot_r``, ``hand_l``, … because their shapes would be in the floor, m,
            each (T,).

    Returns:
        Targets with feet on the ground.
    """
    contacts = contacts.standing()
    position = points.position.copy()
    position[:, :, 2] += (_height_shift(motion, contacts, points) + lift["trunk"])[:, None]
    orientation, weight = segments.orientation.copy(), points.weight.copy()
    bend_limit = {
        s: min(0.5, float(skeleton.body.joint_range[skeleton.body.joint_roles[f"toes_{s}"][0], 1])) for s in SIDES
    }
    for side in SIDES:
        ankle, turn, bend = _foot_path(skeleton, motion, contacts, points, position, side, bend_limit[side])
        ankle = ankle + lift[f"foot_{side}"][:, None] * [0, 0, 1]
        joint = skeleton.joint
        tip = joint[f"toe_tip_{side}"] - joint[f"ball_{side}"]
        for name in ("ankle", "heel", "ball"):
            offset = joint[f"{name}_{side}"] - joint[f"ankle_{side}"]
            position[:, points.index(f"{name}_{side}")] = ankle + turn @ offset
        hinge = joint[f"ball_{side}"] - joint[f"ankle_{side}"]
        hinge = hinge + [0, 0, skeleton.sole_to_toes]
        toes = turn @ Rotation.from_rotvec(bend[:, None] * [0.0, -1.0, 0.0]).as_matrix()
        position[:, points.index(f"toe_tip_{side}")] = (
            ankle + turn @ hinge + toes @ (tip - [0, 0, skeleton.sole_to_toes])
        )
        orientation[:, segments.names.index(f"foot_{side}")] = turn @ skeleton.rotation[f"foot_{side}"]
        orientation[:, segments.names.index(f"toes_{side}")] = toes @ skeleton.rotation[f"toes_{side}"]
        for name in ("heel", "ball"):
            weight[contacts.still[f"{name}_{side}"], points.index(f"{name}_{side}")] *= 2.5
    bend_knees(skeleton, motion, contacts.feet(), points, position)
    if "wrist_r" in points.names:
        bend_elbows(skeleton, motion, points, position, lift)
    return replace(points, position=position, weight=weight), replace(segments, orientation=orientation)


def _height_shift(motion: SourceMotion, contacts: Contacts, points: KeyPointTargets) -> NDArray[np.float64]:
    """How much to raise the body so that what touches is at z = 0, m, (T,)."""
    names = list(contacts.touching)
    touching = np.stack([contacts.touching[name] for name in names], axis=1)
    height = points.position[:, [points.index(name) for name in names], 2]
    count = touching.sum(axis=1)
    shift = -(height * touching).sum(axis=1) / np.maximum(count, 1)
    filled = fill(around(motion, shift[:, None]), around(motion, (count > 0) | contacts.kneeling))
    return middle(motion, gaussian_filter1d(filled[:, 0], 3.0, mode="nearest"))


def _foot_path(
    skeleton: Skeleton,
    motion: SourceMotion,
    contacts: Contacts,
    points: KeyPointTargets,
    position: NDArray[np.float64],
    side: str,
    bend_limit: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Ankle positions (T, 3), foot rotations (T, 3, 3) and upward bend of the toes in rad (T,)."""
    joint = skeleton.joint
    to_heel, to_ball = (joint[f"{name}_{side}"] - joint[f"ankle_{side}"] for name in ("heel", "ball"))
    heel, ball = (around(motion, contacts.touching[f"{name}_{side}"]) for name in ("heel", "ball"))
    heel_still, ball_still = (around(motion, contacts.still[f"{name}_{side}"]) for name in ("heel", "ball"))
    kneeling = around(motion, contacts.kneeling)
    ankle = around(motion, position[:, points.index(f"ankle_{side}")], position[-1, 0] - position[0, 0])
    source = Rotation.from_matrix(around(motion, motion.orientation[f"foot_{side}"]))

    # Turn the foot flat while heel and ball touch; in between the correction fades from one stance to the next.
    flat = heel & ball
    yaw = np.unwrap(np.arctan2(source.as_matrix()[:, 1, 0], source.as_matrix()[:, 0, 0]))
    for start, stop in runs(flat & (heel_still | ball_still)):
        if np.ptp(yaw[start:stop]) < PIVOT_ANGLE:
            yaw[start:stop] = yaw[start:stop].mean()
    level = Rotation.from_rotvec(yaw[:, None] * [0.0, 0.0, 1.0])
    correction = fill((level * source.inv()).as_rotvec(), flat)
    correction = gaussian_filter1d(correction, 1.0, axis=0, mode="nearest")
    correction[flat] = (level * source.inv()).as_rotvec()[flat]
    turn = (Rotation.from_rotvec(correction) * source).as_matrix()

    # Hold the touching point: the ball where it touches, else the heel.
    shift, known = np.zeros_like(ankle), np.zeros((len(ankle), 2), dtype=bool)
    ball_place, heel_place = ankle + turn @ to_ball, ankle + turn @ to_heel
    for start, stop in runs((heel & heel_still) | (ball & ball_still)):
        inside = slice(start, stop)
        both = flat[inside]
        on_ball = ball[inside]
        if both.any() or on_ball.any():
            ball_pin = np.median(ball_place[inside][both if both.any() else on_ball], axis=0)
            heel_pin = ball_pin + (turn[inside] @ (to_heel - to_ball))[both].mean(axis=0) if both.any() else None
        if not both.any() and not on_ball.all():
            heel_pin = np.median(heel_place[inside][~on_ball], axis=0)
        for frame in range(start, stop):
            pin, place = (ball_pin, ball_place) if ball[frame] else (heel_pin, heel_place)
            shift[frame, :2] = (pin - place[frame])[:2]
        known[inside, 0] = True
    touch = heel | ball
    pitch_down = np.arcsin(np.clip(-turn[:, 2, 0], -1, 1))
    limit = np.where(ball, bend_limit, SWING_BEND)
    bend = gaussian_filter1d(np.clip(pitch_down, 0, limit), 1.0, mode="nearest")
    to_tip = joint[f"toe_tip_{side}"] - joint[f"ball_{side}"]
    tip_drop = np.maximum(np.linalg.norm(to_tip) * np.sin(pitch_down - bend), 0)
    shift[touch, 2] = np.where(ball, tip_drop - ball_place[:, 2], -heel_place[:, 2])[touch]
    known[:, 1] = touch
    known |= kneeling[:, None]
    shift[:, :2] = fill(shift[:, :2], known[:, 0])
    shift[:, 2:] = fill(shift[:, 2:], known[:, 1])

    # Lift a swinging foot until its lowest point clears the ground.
    height = (ankle + shift)[:, 2] + np.minimum((turn @ to_heel)[:, 2], (turn @ to_ball)[:, 2] - tip_drop)
    away = np.clip(frames_away(touch | kneeling) / CLEARANCE_RAMP, 0, 1)
    ramp = away**2 * (3 - 2 * away)
    lift = gaussian_filter1d(maximum_filter1d(np.maximum(CLEARANCE * ramp - height, 0), 5), 2.0, mode="nearest")
    shift[:, 2] += lift * ramp
    return middle(motion, ankle + shift), middle(motion, turn), middle(motion, bend)


def _regular(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Flags without gaps and runs shorter than :data:`SHORTEST_TOUCH`."""
    result = flags.copy()
    for value in (False, True):
        for start, stop in runs(result == value):
            if stop - start < SHORTEST_TOUCH and start > 0 and stop < len(result):
                result[start:stop] = not value
    return result
