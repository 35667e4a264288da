"""Muscle lengths, velocities and joint torques from fitted paths, in machine code."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import Body
from ms_envs.paths.muscle_paths import MusclePaths

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SUMS = {"reassoc", "contract"}
"""Liberties of the compiler: sums in any order, so that they use vector instructions, and fused products."""


class PathTable(NamedTuple):
    """Fitted paths as flat arrays, the monomials of all components one after the other.

    Their variables are the J independent joints, then the deviations of the C coupled ones.

    Attributes:
        qpos_address: Of the independent joints, then of the coupled ones, (J + C,).
        dof_address: The same, (J + C,).
        centre: Of the domain of every joint, rad, (J,).
        scale: One over half its width, 1/rad, (J,).
        zero: Where the coupling counts from: ``qpos0`` of every joint, m or rad, (J + C,).
        driver: Independent joint that a coupled one follows, −1 for none, (C,).
        coupling: Coefficients of the polynomial by which it follows, constant term first, (C, 5).
        constant: Lengths that do not depend on joints, m, (M,).
        one: The constant monomial of every component.
        block: Variable, start of the factor, length and start of the product, (B, 4); unsigned, because an index that
            may be negative costs time.
        muscle: Of every row of coefficients, (R,).
        first: Monomial that its first coefficient multiplies, (R,).
        row: Where it starts, (R + 1,).
        coefficient: m.
    """

    qpos_address: Integers
    dof_address: Integers
    centre: Floats
    scale: Floats
    zero: Floats
    driver: Integers
    coupling: Floats
    constant: Floats
    one: Integers
    block: NDArray[np.uint64]
    muscle: Integers
    first: Integers
    row: Integers
    coefficient: Floats


class PathWork(NamedTuple):
    """What the kernels leave for each other.

    Attributes:
        value: Variables, (J + C,).
        rate: Their rates, 1/s, (J + C,).
        slope: Change of a variable per rad of its joint, zero outside of its domain, (J + C,).
        follow: Change of coupled joints per rad of their drivers, (C,).
        torque: Gradient by the variables, (J + C,).
        monomial: (T,).
        monomial_rate: 1/s, (T,).
        weight: Gradient by the monomials, (T,).
    """

    value: Floats
    rate: Floats
    slope: Floats
    follow: Floats
    torque: Floats
    monomial: Floats
    monomial_rate: Floats
    weight: Floats


def path_table(paths: MusclePaths, body: Body) -> PathTable:
    """Lay fitted paths out for the kernels."""
    components, model = paths.components, body.model
    joints = np.concatenate([body.joint_ids, body.coupled_joint_ids])
    one = _starts([component.coefficients.shape[1] for component in components])[:-1]
    blocks = []
    for component, start in zip(components, one, strict=True):
        own = component.monomials.blocks + np.array([0, start, 0, start])
        own[:, 0] = component.variables(len(body.joint_ids))[own[:, 0]]
        blocks.append(own)
    rows = [
        row[:count]
        for component in components
        for row, count in zip(component.coefficients, component.term_counts, strict=True)
    ]
    return PathTable(
        qpos_address=model.jnt_qposadr[joints].astype(np.int64),
        dof_address=model.jnt_dofadr[joints].astype(np.int64),
        centre=(paths.low + paths.high) / 2,
        scale=2 / (paths.high - paths.low),
        zero=model.qpos0[model.jnt_qposadr[joints]],
        driver=body.coupling_parent.astype(np.int64),
        coupling=body.coupling_polynomial,
        constant=paths.constant,
        one=one,
        block=np.concatenate(blocks).astype(np.uint64),
        muscle=np.concatenate([component.muscles for component in components]).astype(np.int64),
        first=np.repeat(one, [len(component.muscles) for component in components]),
        row=_starts([len(row) for row in rows]),
        coefficient=np.concatenate(rows),
    )


def path_work(table: PathTable) -> PathWork:
    """Room for the kernels."""
    variables, coupled, terms = len(table.zero), len(table.driver), int((table.block[:, 2] + table.block[:, 3]).max())
    sizes = (variables, variables, variables, coupled, variables, terms, terms, terms)
    work = PathWork(*(np.zeros(size) for size in sizes))
    work.monomial[table.one] = 1.0
    return work


@numba.njit(nogil=True, cache=True, fastmath=SUMS)
def path_lengths(
    table: PathTable, work: PathWork, qpos: Floats, qvel: Floats, length: Floats, velocity: Floats
) -> None:
    """Lengths and velocities of all muscles; those without a fitted path get zeros.

    The rate of a polynomial is the product of its coefficients with the rates of the monomials, which all muscles of a
    component share; it needs no moment arms.

    Args:
        table: The paths.
        work: Written.
        qpos: Generalised positions, (nq,).
        qvel: Generalised velocities, (nv,).
        length: m, (M,), written.
        velocity: m/s, (M,), written.
    """
    _set_variables(table, work, qpos, qvel)
    blocks, monomial, monomial_rate = table.block, work.monomial, work.monomial_rate
    for block in range(len(blocks)):
        variable, start, count, end = blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3]
        x, v = work.value[variable], work.rate[variable]
        for term in range(count):
            factor = monomial[start + term]
            monomial[end + term] = x * factor
            monomial_rate[end + term] = x * monomial_rate[start + term] + v * factor
    length[:] = table.constant
    velocity[:] = 0.0
    for row, muscle in enumerate(table.muscle):
        coefficient = table.coefficient[table.row[row] : table.row[row + 1]]
        own, own_rate = monomial[table.first[row] :], monomial_rate[table.first[row] :]
        total, total_rate = 0.0, 0.0
        for term in range(len(coefficient)):
            total += coefficient[term] * own[term]
            total_rate += coefficient[term] * own_rate[term]
        length[muscle] += total
        velocity[muscle] += total_rate


@numba.njit(nogil=True, cache=True, fastmath=SUMS)
def add_path_torques(table: PathTable, work: PathWork, force: Floats, torque: Floats) -> None:
    """Add the generalised forces of muscle forces at the pose of the last :func:`path_lengths`.

    They are the gradient of Σ force · length, by one sweep backwards through the products that make the monomials.

    Args:
        table: The paths.
        work: As :func:`path_lengths` left it; written.
        force: N, negative when pulling, (M,).
        torque: (nv,), added to.
    """
    blocks, monomial, weight = table.block, work.monomial, work.weight
    weight[:] = 0.0
    for row, muscle in enumerate(table.muscle):
        coefficient = table.coefficient[table.row[row] : table.row[row + 1]]
        own, pull = weight[table.first[row] :], force[muscle]
        for term in range(len(coefficient)):
            own[term] += pull * coefficient[term]
    work.torque[:] = 0.0
    for block in range(len(blocks) - 1, -1, -1):
        variable, start, count, end = blocks[block, 0], blocks[block, 1], blocks[block, 2], blocks[block, 3]
        x, total = work.value[variable], 0.0
        for term in range(count):
            total += weight[end + term] * monomial[start + term]
            weight[start + term] += weight[end + term] * x
        work.torque[variable] += total
    for variable in range(len(work.torque)):
        torque[table.dof_address[variable]] += work.torque[variable] * work.slope[variable]
    for coupled, driver in enumerate(table.driver):
        if driver >= 0:
            variable = len(table.centre) + coupled
            torque[table.dof_address[driver]] -= work.torque[variable] * work.follow[coupled]


@numba.njit(nogil=True, cache=True)
def _set_variables(table: PathTable, work: PathWork, qpos: Floats, qvel: Floats) -> None:
    joints = len(table.centre)
    for joint in range(joints):
        x = (qpos[table.qpos_address[joint]] - table.centre[joint]) * table.scale[joint]
        work.slope[joint] = 0.0 if x > 1.0 or x < -1.0 else table.scale[joint]
        work.value[joint] = min(max(x, -1.0), 1.0)
        work.rate[joint] = qvel[table.dof_address[joint]] * work.slope[joint]
    for coupled, driver in enumerate(table.driver):
        c, offset, speed = table.coupling[coupled], 0.0, 0.0
        if driver >= 0:
            offset = qpos[table.qpos_address[driver]] - table.zero[driver]
            speed = qvel[table.dof_address[driver]]
        place = c[0] + offset * (c[1] + offset * (c[2] + offset * (c[3] + offset * c[4])))
        follow = c[1] + offset * (2 * c[2] + offset * (3 * c[3] + offset * 4 * c[4]))
        variable = joints + coupled
        work.value[variable] = qpos[table.qpos_address[variable]] - table.zero[variable] - place
        work.rate[variable] = qvel[table.dof_address[variable]] - follow * speed
        work.slope[variable], work.follow[coupled] = 1.0, follow


def _starts(counts: list[int]) -> Integers:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
