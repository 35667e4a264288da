"""Musculotendon lengths of one body as polynomials of its joint angles."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.atomic_file import atomic_file
from ms_envs.bodies.body import Body
from ms_envs.paths.polynomial import Monomials, monomials, terms
from ms_envs.paths.spans import Span

FORMAT_VERSION = 1


@dataclass(frozen=True, eq=False)
class PathComponent:
    """What some joints contribute to the lengths of the R muscles whose paths have a piece across them.

    Attributes:
        span: The n independent joints and the k coupled joints whose deviations matter.
        muscles: Muscle indices, (R,).
        degrees: Total degree of each muscle's polynomial, (R,).
        coefficients: Of :attr:`monomials`, zero above a muscle's own degree, m, (R, T).
    """

    span: Span
    muscles: NDArray[np.intp]
    degrees: NDArray[np.intp]
    coefficients: NDArray[np.float64]

    @property
    def monomials(self) -> Monomials:
        """The monomials that the coefficients multiply."""
        return monomials(len(self.span.joints), int(self.degrees.max()), len(self.span.coupled))

    @cached_property
    def term_counts(self) -> NDArray[np.intp]:
        """How many terms each muscle has, (R,)."""
        return _term_counts(self.span, self.degrees)

    def variables(self, joints: int) -> NDArray[np.intp]:
        """Where its n + k variables stand among those of the body, whose J independent joints come first."""
        return np.array([*self.span.joints, *(joints + position for position in self.span.coupled)], dtype=np.intp)


@dataclass(frozen=True, eq=False)
class MusclePaths:
    """Lengths of all muscles of a body but those that no polynomial describes.

    Their variables are the independent joint angles, mapped from their domain to [−1, 1], and the deviations of the
    coupled joints from where they should be: MuJoCo's constraints give way a little under load. Beyond its domain an
    angle counts as at its edge.

    Attributes:
        body_name: Name of the body.
        body_hash: :func:`path_hash` of it.
        low: Lower end of the domain of every independent joint, rad, (J,).
        high: Upper end, rad, (J,).
        constant: Length that does not depend on joints, m, (M,); zero where there are components.
        exact: Indices of the K muscles that keep their exact path, rising, (K,); no length is given for them.
        components: What depends on joints.
    """

    body_name: str
    body_hash: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    constant: NDArray[np.float64]
    exact: NDArray[np.intp]
    components: tuple[PathComponent, ...]

    @property
    def fitted(self) -> NDArray[np.intp]:
        """Indices of the muscles whose length is given, (M − K,)."""
        return np.setdiff1d(np.arange(len(self.constant)), self.exact)

    def length(self, angle: NDArray[np.float64], deviation: NDArray[np.float64]) -> NDArray[np.float64]:
        """Musculotendon lengths.

        Args:
            angle: Independent joints, rad, (..., J).
            deviation: Of every coupled joint from where the independent ones put it, m or rad, (..., C).

        Returns:
            m, (..., M); meaningless for the muscles in ``exact``.
        """
        variables = np.concatenate([self._normalised(angle), deviation], axis=-1)
        result = np.broadcast_to(self.constant, (*variables.shape[:-1], len(self.constant))).copy()
        for component in self.components:
            values = component.monomials.values(variables[..., component.variables(len(self.low))])
            result[..., component.muscles] += values @ component.coefficients.T
        return result

    def moment_arm(self, angle: NDArray[np.float64]) -> NDArray[np.float64]:
        """Derivatives of the lengths by the independent joint angles where coupled joints follow without deviation.

        Args:
            angle: rad, (..., J).

        Returns:
            m/rad, (..., M, J).
        """
        x = self._normalised(angle)
        result = np.zeros((*x.shape[:-1], len(self.constant), x.shape[-1]))
        slope = 2 / (self.high - self.low) * (np.abs(x) < 1)
        for component in self.components:
            joints, coupled = np.array(component.span.joints), len(component.span.coupled)
            variables = np.concatenate([x[..., joints], np.zeros((*x.shape[:-1], coupled))], axis=-1)
            basis = component.monomials
            gradient = basis.gradient(basis.values(variables))[..., : len(joints), :]
            arms = np.swapaxes(gradient @ component.coefficients.T, -1, -2) * slope[..., None, joints]
            result[..., component.muscles[:, None], joints] += arms
        return result

    def check_fits(self, body: Body) -> None:
        """Refuse a body the paths were not fitted to.

        Raises:
            ValueError: If the skeleton, a joint range or a muscle's path differs.
        """
        if self.body_hash != path_hash(body):
            raise ValueError(
                f"these muscle paths were fitted to another body than this {body.name!r}; fitted paths exist for the "
                "bodies of the package without options, others need muscle_paths='exact'"
            )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` file; coefficients are rounded to single precision."""
        arrays: dict[str, Any] = {
            "version": FORMAT_VERSION,
            "body_name": self.body_name,
            "body_hash": self.body_hash,
            "low": self.low,
            "high": self.high,
            "constant": self.constant,
            "exact": self.exact.astype(np.int32),
        }
        for i, component in enumerate(self.components):
            used = np.arange(component.coefficients.shape[1]) < component.term_counts[:, None]
            arrays[f"joints_{i}"] = np.array(component.span.joints, dtype=np.int32)
            arrays[f"coupled_{i}"] = np.array(component.span.coupled, dtype=np.int32)
            arrays[f"muscles_{i}"] = component.muscles.astype(np.int32)
            arrays[f"degrees_{i}"] = component.degrees.astype(np.int32)
            arrays[f"coefficients_{i}"] = component.coefficients[used].astype(np.float32)
        with atomic_file(Path(path)) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MusclePaths:
        """Read a file that :meth:`save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is of another version.
        """
        with np.load(path, allow_pickle=False) as archive:
            if int(archive["version"]) != FORMAT_VERSION:
                raise ValueError(f"{path} has format {archive['version']}, this version reads {FORMAT_VERSION}")
            count = sum(name.startswith("joints_") for name in archive.files)
            return cls(
                body_name=str(archive["body_name"]),
                body_hash=str(archive["body_hash"]),
                low=archive["low"],
                high=archive["high"],
                constant=archive["constant"],
                exact=archive["exact"].astype(np.intp),
                components=tuple(_component(archive, i) for i in range(count)),
            )

    def _normalised(self, angle: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip((2 * angle - (self.low + self.high)) / (self.high - self.low), -1.0, 1.0)


def path_hash(body: Body) -> str:
    """Fingerprint of the skeleton and of every muscle's path; values are rounded so that platforms agree."""
    model = body.model
    tendons = model.actuator_trnid[:, 0]
    sites = np.unique(model.wrap_objid[model.wrap_type == mujoco.mjtWrap.mjWRAP_SITE])
    around = (mujoco.mjtWrap.mjWRAP_SPHERE, mujoco.mjtWrap.mjWRAP_CYLINDER)
    geoms = np.unique(model.wrap_objid[np.isin(model.wrap_type, around)])
    digest = hashlib.sha256("\n".join((body.hash, *body.muscle_names)).encode())
    for integers in (model.tendon_adr[tendons], model.tendon_num[tendons], model.wrap_type, model.wrap_objid):
        digest.update(integers.astype(np.int32).tobytes())
    for values in (model.site_pos[sites], model.geom_pos[geoms], model.geom_quat[geoms], model.geom_size[geoms]):
        # The offset keeps decimal constants away from the rounding boundary.
        digest.update(np.floor(values * 1e5 + 1 / np.pi).astype(np.int64).tobytes())
    return digest.hexdigest()[:16]


def _component(archive: Any, index: int) -> PathComponent:
    span = Span(tuple(archive[f"joints_{index}"].tolist()), tuple(archive[f"coupled_{index}"].tolist()))
    degrees = archive[f"degrees_{index}"].astype(np.intp)
    counts = _term_counts(span, degrees)
    coefficients = np.zeros((len(degrees), counts.max()))
    coefficients[np.arange(counts.max()) < counts[:, None]] = archive[f"coefficients_{index}"]
    return PathComponent(span, archive[f"muscles_{index}"].astype(np.intp), degrees, coefficients)


def _term_counts(span: Span, degrees: NDArray[np.intp]) -> NDArray[np.intp]:
    counts = [terms(len(span.joints), int(degree), len(span.coupled)) for degree in degrees]
    return np.array(counts, dtype=np.intp)
