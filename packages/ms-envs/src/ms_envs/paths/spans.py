"""Which joints the pieces of a muscle's path cross."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import mujoco

from ms_envs.bodies.body import Body


class Span(NamedTuple):
    """Joints between the ends of a piece of a path.

    Attributes:
        joints: Positions among the independent joints, rising, of those that move the piece's ends against each other.
        coupled: Positions among the coupled joints, rising, of those in between.
    """

    joints: tuple[int, ...]
    coupled: tuple[int, ...]


def path_spans(body: Body) -> list[tuple[Span, ...]]:
    """The joints that decide the length of every muscle.

    A path is a chain of pieces from one site to the next, straight or around one wrapping surface. The length of a
    piece depends on the joints between the bones it touches and on nothing else, so a muscle's length is a sum of
    functions of few joints each.

    Args:
        body: The body.

    Returns:
        For every muscle the spans of its pieces, those whose joints are part of another's merged into that one; none
        where its length is constant. A coupled joint stands in one of them only.
    """
    model = body.model
    independent = {int(joint): position for position, joint in enumerate(body.joint_ids)}
    coupled = {int(joint): position for position, joint in enumerate(body.coupled_joint_ids)}
    joints_above = _joints_above(model)
    result = []
    for muscle in range(model.nu):
        pieces = []
        for bones in _pieces(model, int(model.actuator_trnid[muscle, 0])):
            chains = [joints_above[bone] for bone in bones]
            between = frozenset.union(*chains) - frozenset.intersection(*chains)
            followers = {coupled[joint] for joint in between if joint in coupled}
            drivers = {int(body.coupling_parent[follower]) for follower in followers} - {-1}
            pieces.append((drivers | {independent[joint] for joint in between if joint in independent}, followers))
        result.append(_merged(pieces))
    return result


def _merged(pieces: list[tuple[set[int], set[int]]]) -> tuple[Span, ...]:
    merged: list[tuple[set[int], set[int]]] = []
    for joints, coupled in sorted(pieces, key=lambda piece: -len(piece[0])):
        if not joints:
            continue
        for larger, more in merged:
            if joints <= larger:
                more.update(coupled)
                break
        else:
            merged.append((joints, set(coupled)))
    known: set[int] = set()
    spans = []
    for joints, coupled in merged:
        spans.append(Span(tuple(sorted(joints)), tuple(sorted(coupled - known))))
        known |= coupled
    return tuple(sorted(spans))


def _joints_above(model: mujoco.MjModel) -> list[frozenset[int]]:
    """For every bone the joints between it and the world."""
    joints: list[frozenset[int]] = [frozenset()]
    for bone in range(1, model.nbody):
        first = int(model.body_jntadr[bone])
        own = range(first, first + int(model.body_jntnum[bone]))
        joints.append(joints[model.body_parentid[bone]].union(own))
    return joints


def _pieces(model: mujoco.MjModel, tendon: int) -> Iterator[list[int]]:
    """The bones that each piece of a path touches."""
    first = int(model.tendon_adr[tendon])
    bones: list[int] = []
    for wrap in range(first, first + int(model.tendon_num[tendon])):
        is_site = model.wrap_type[wrap] == mujoco.mjtWrap.mjWRAP_SITE
        owner = model.site_bodyid if is_site else model.geom_bodyid
        bones.append(int(owner[model.wrap_objid[wrap]]))
        if is_site and len(bones) > 1:
            yield bones
        if is_site:
            bones = bones[-1:]
