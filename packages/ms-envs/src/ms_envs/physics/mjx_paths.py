"""Fitted muscle paths in JAX: lengths, velocities and joint torques of the muscles of N bodies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from ms_envs.bodies.body import ROOT_DOF, Body
from ms_envs.paths.muscle_paths import MusclePaths
from ms_envs.task.rotations import Array

ROOT_QPOS = ROOT_DOF + 1


class Degree(NamedTuple):
    """Monomials of one total degree, of all components.

    Attributes:
        variable: What each is the product of: a variable, (T,),
        factor: and a monomial of one degree less, by its place among those, (T,).
    """

    variable: Array
    factor: Array


class Component(NamedTuple):
    """What some joints contribute to the lengths of R muscles.

    Attributes:
        monomial: Its monomials among all, rising in degree, (T,).
        coefficient: m, (T, R).
    """

    monomial: Array
    coefficient: Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class JointPaths:
    """Muscle lengths as a function of generalised positions; derivatives are those of JAX.

    The monomials of all components are computed degree by degree. Written out one by one, as the kernel of the CPU
    engine does it, they take XLA minutes to compile.

    Attributes:
        joints: Addresses of the independent joints in ``qpos``, (J,).
        coupled: Of the coupled joints, (C,).
        driver: Of the joints that drive them, (C,).
        rest: ``qpos0``, (nq,).
        polynomial: By which coupled joints follow, highest power first, (5, C).
        low: Lower end of the domain of every independent joint, rad, (J,).
        high: Upper end, rad, (J,).
        constant: Length that does not depend on joints, m, (M,).
        degrees: The monomials.
        components: Who they contribute to.
        muscle: The muscles of all components, one after the other.
    """

    joints: Array
    coupled: Array
    driver: Array
    rest: Array
    polynomial: Array
    low: Array
    high: Array
    constant: Array
    degrees: tuple[Degree, ...]
    components: tuple[Component, ...]
    muscle: Array

    @classmethod
    def of(cls, paths: MusclePaths, body: Body) -> Self:
        """Lay the fitted paths of a body out for JAX.

        Raises:
            ValueError: If they were fitted to another body.
        """
        paths.check_fits(body)
        driven = body.coupling_parent[:, None] >= 0
        polynomial = np.where(driven, body.coupling_polynomial, body.coupling_polynomial * [1, 0, 0, 0, 0])
        degrees, places = _degrees(paths)
        arrays = cls(
            joints=body.qpos_index,
            coupled=body.model.jnt_qposadr[body.coupled_joint_ids],
            driver=body.qpos_index[body.coupling_parent],
            rest=body.model.qpos0,
            polynomial=polynomial[:, ::-1].T,
            low=paths.low,
            high=paths.high,
            constant=paths.constant,
            degrees=degrees,
            components=tuple(
                Component(place, component.coefficients.T)
                for place, component in zip(places, paths.components, strict=True)
            ),
            muscle=np.concatenate([component.muscles for component in paths.components]),
        )
        return jax.tree.map(jnp.asarray, arrays)

    def length(self, qpos: jax.Array) -> jax.Array:
        """Lengths, m, (N, M), at generalised positions (N, nq); meaningless for muscles with exact paths."""
        angle = (2 * qpos[:, self.joints] - self.low - self.high) / (self.high - self.low)
        follows = jnp.polyval(self.polynomial, qpos[:, self.driver] - self.rest[self.driver])
        deviation = qpos[:, self.coupled] - self.rest[self.coupled] - follows
        variables = jnp.concatenate([jnp.clip(angle, -1.0, 1.0), deviation], axis=1)
        monomials = [jnp.ones((len(qpos), 1))]
        for variable, factor in self.degrees:
            product = variables[:, variable] * monomials[-1][:, factor]
            monomials.append(jax.lax.optimization_barrier(product))  # or XLA computes it anew for every use
        values = jnp.concatenate(monomials, axis=1)
        parts = [values[:, monomial] @ coefficient for monomial, coefficient in self.components]
        return (self.constant + jnp.zeros((len(qpos), 1))).at[:, self.muscle].add(jnp.concatenate(parts, axis=1))

    def measured(self, qpos: jax.Array, qvel: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Lengths, m, and velocities, m/s, (N, M), at positions (N, nq) and velocities (N, nv)."""
        still = jnp.zeros((len(qpos), ROOT_QPOS))  # moving the whole body changes no length
        length, velocity = jax.jvp(self.length, (qpos,), (jnp.concatenate([still, qvel[:, ROOT_DOF:]], axis=1),))
        return length, velocity

    def torque(self, qpos: jax.Array, force: jax.Array) -> jax.Array:
        """Generalised forces (N, nv) of muscle forces (N, M), N, negative when pulling, at positions (N, nq)."""
        _, gradient_of = jax.vjp(self.length, qpos)
        (gradient,) = gradient_of(force)
        return jnp.concatenate([jnp.zeros((len(qpos), ROOT_DOF)), gradient[:, ROOT_QPOS:]], axis=1)


def _degrees(paths: MusclePaths) -> tuple[tuple[Degree, ...], list[NDArray[np.intp]]]:
    """All monomials by degree, and where those of each component stand when the degrees follow each other."""
    found: list[dict[tuple[int, ...], int]] = [{(): 0}]
    products: list[list[tuple[int, int]]] = [[(0, 0)]]
    members = []
    for component in paths.components:
        variables = component.variables(len(paths.low))
        own = [tuple(np.repeat(variables, powers).tolist()) for powers in component.monomials.exponents]
        for monomial in sorted(own, key=len):
            while len(found) <= len(monomial):
                found.append({})
                products.append([])
            if monomial and monomial not in found[len(monomial)]:
                variable, factor = _split(monomial, found[len(monomial) - 1])
                found[len(monomial)][monomial] = len(products[len(monomial)])
                products[len(monomial)].append((variable, factor))
        members.append(own)
    starts = np.cumsum([0, *map(len, products)])
    places = [np.array([starts[len(m)] + found[len(m)][m] for m in own], dtype=np.intp) for own in members]
    return tuple(Degree(*np.array(pairs, dtype=np.intp).T) for pairs in products[1:]), places


def _split(monomial: tuple[int, ...], known: dict[tuple[int, ...], int]) -> tuple[int, int]:
    """A variable, and the place of the rest among known monomials."""
    for i, variable in enumerate(monomial):
        rest = monomial[:i] + monomial[i + 1 :]
        if rest in known:
            return variable, known[rest]
    raise ValueError(f"monomial {monomial} is no product of a variable and another one")
