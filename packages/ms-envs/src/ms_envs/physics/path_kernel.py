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
    """Fitted paths as flat arrays; those of component c start at entry c of a ``*_start``.

    The variables of the polynomials are the J independent joints, then the deviations of the C coupled ones.

    Attributes:
        qpos_address: Of the independent joints, then of the coupled ones, (J + C,).
        dof_address: The same, (J + C,).
        centre: Of the domain of every joint, rad, (J,).
        scale: One over half its width, 1/rad, (J,).
        zero: Where the coupling counts from: ``qpos0`` of every joint, m or rad, (J + C,).
        driver: Independent joint that a coupled one follows, −1 for none, (C,).
        coupling: Coefficients of the polynomial by which it follows, constant term first, (C, 5).
        constant: Lengths that do not depend on joints, m, (M,).
        variable_start: (components + 1,).
        variable: Variables of the components.
        block_start: (components + 1,).
        block: See :class:`ms_envs.paths.polynomial.Monomials`, (B, 4).
        term_start: (components + 1,).
        row_start: (components + 1,).
        muscle: Of every row.
        coefficient_start: (rows + 1,).
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
    variable_start: Integers
    variable: Integers
    block_start: Integers
    block: Integers
    term_start: Integers
    row_start: Integers
    muscle: Integers
    coefficient_start: Integers
    coefficient: Floats


class PathWork(NamedTuple):
    """What the kernels leave for each other.

    Attributes:
        value: Variables, (J + C,).
        rate: Their rates, 1/s, (J + C,).
        slope: Change of a variable per rad of its joint, zero outside of its domain, (J + C,).
        follow: Change of coupled joints per rad of their drivers, (C,).
        torque: Gradient by the variables, (J + C,).
        monomial: (terms,).
        monomial_rate: 1/s, (terms,).
        weight: Of the monomials of one component, (most terms,).
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
    blocks = [component.monomials.blocks for component in components]
    rows = [
        row[:count]
        for component in components
        for row, count in zip(component.coefficients, component.term_counts, strict=True)
    ]
    variables = [component.variables(len(body.joint_ids)) for component in components]
    return PathTable(
        qpos_address=model.jnt_qposadr[joints].astype(np.int64),
        dof_address=model.jnt_dofadr[joints].astype(np.int64),
        centre=(paths.low + paths.high) / 2,
        scale=2 / (paths.high - paths.low),
        zero=model.qpos0[model.jnt_qposadr[joints]],
        driver=body.coupling_parent.astype(np.int64),
        coupling=body.coupling_polynomial,
        constant=paths.constant,
        variable_start=_starts([len(own) for own in variables]),
        variable=np.concatenate(variables).astype(np.int64),
        block_start=_starts([len(own) for own in blocks]),
        block=np.concatenate(blocks).astype(np.int64),
        term_start=_starts([component.coefficients.shape[1] for component in components]),
        row_start=_starts([len(component.muscles) for component in components]),
        muscle=np.concatenate([component.muscles for component in components]).astype(np.int64),
        coefficient_start=_starts([len(row) for row in rows]),
        coefficient=np.concatenate(rows),
    )


def path_work(table: PathTable) -> PathWork:
    """Room for the kernels."""
    variables, coupled, terms = len(table.zero), len(table.driver), int(table.term_start[-1])
    most = int(np.diff(table.term_start).max())
    sizes = (variables, variables, variables, coupled, variables, terms, terms, most)
    return PathWork(*(np.zeros(size) for size in sizes))


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
    length[:] = table.constant
    velocity[:] = 0.0
    for component in range(len(table.term_start) - 1):
        variables = table.variable[table.variable_start[component] : table.variable_start[component + 1]]
        first, last = table.term_start[component], table.term_start[component + 1]
        monomial, monomial_rate = work.monomial[first:last], work.monomial_rate[first:last]
        monomial[0], monomial_rate[0] = 1.0, 0.0
        for block in range(table.block_start[component], table.block_start[component + 1]):
            variable, start, count, end = table.block[block]
            x, v = work.value[variables[variable]], work.rate[variables[variable]]
            factor, factor_rate = monomial[start : start + count], monomial_rate[start : start + count]
            product, product_rate = monomial[end : end + count], monomial_rate[end : end + count]
            for term in range(count):
                product[term] = x * factor[term]
                product_rate[term] = x * factor_rate[term] + v * factor[term]
        for row in range(table.row_start[component], table.row_start[component + 1]):
            coefficient = table.coefficient[table.coefficient_start[row] : table.coefficient_start[row + 1]]
            total, total_rate = 0.0, 0.0
            for term in range(len(coefficient)):
                total += coefficient[term] * monomial[term]
                total_rate += coefficient[term] * monomial_rate[term]
            length[table.muscle[row]] += total
            velocity[table.muscle[row]] += total_rate


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
    work.torque[:] = 0.0
    for component in range(len(table.term_start) - 1):
        variables = table.variable[table.variable_start[component] : table.variable_start[component + 1]]
        first, last = table.term_start[component], table.term_start[component + 1]
        monomial, weight = work.monomial[first:last], work.weight[: last - first]
        weight[:] = 0.0
        for row in range(table.row_start[component], table.row_start[component + 1]):
            coefficient = table.coefficient[table.coefficient_start[row] : table.coefficient_start[row + 1]]
            pull = force[table.muscle[row]]
            for term in range(len(coefficient)):
                weight[term] += pull * coefficient[term]
        for block in range(table.block_start[component + 1] - 1, table.block_start[component] - 1, -1):
            variable, start, count, end = table.block[block]
            x, total = work.value[variables[variable]], 0.0
            factor, factor_weight = monomial[start : start + count], weight[start : start + count]
            product_weight = weight[end : end + count]
            for term in range(count):
                total += product_weight[term] * factor[term]
                factor_weight[term] += product_weight[term] * x
            work.torque[variables[variable]] += total
    joints = len(table.centre)
    for variable in range(len(work.torque)):
        torque[table.dof_address[variable]] += work.torque[variable] * work.slope[variable]
    for coupled, driver in enumerate(table.driver):
        if driver >= 0:
            torque[table.dof_address[driver]] -= work.torque[joints + coupled] * work.follow[coupled]


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
