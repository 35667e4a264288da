"""The model of a body without the muscles that are computed elsewhere."""

from __future__ import annotations

import copy
import hashlib

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.atomic_file import atomic_file
from ms_envs.bodies.body import Body, prefix_warning_silenced
from ms_envs.inverse.cache import cache_folder

VERSION = 1
"""Raised when the way to reduce a model changes, so that an earlier result is not taken for a new one."""


def without_muscles(body: Body, keep: NDArray[np.intp]) -> mujoco.MjModel:
    """The model of a body whose muscles are gone, but for the tendons of some, which pull with any force given.

    Taking a few thousand elements out of a model takes seconds, so the result is kept in the cache folder.

    Args:
        body: The body.
        keep: Indices of the muscles whose tendons stay, rising, (K,).

    Returns:
        A model with K actuators in the order of ``keep`` and without activations.
    """
    path = cache_folder() / "models" / f"{_key(body, keep)}.mjb"
    if path.is_file():
        reduced = mujoco.MjModel.from_binary_path(str(path))
    else:
        reduced = _reduced(body, keep)
        with atomic_file(path) as temporary:
            mujoco.mj_saveModel(reduced, str(temporary), None)
    reduced.opt.timestep = body.model.opt.timestep
    return reduced


def _reduced(body: Body, keep: NDArray[np.intp]) -> mujoco.MjModel:
    spec = body.spec.copy()
    tendons = body.model.actuator_trnid[keep, 0]
    muscle_names = {body.muscle_names[muscle] for muscle in keep}
    tendon_names = {body.model.tendon(tendon).name for tendon in tendons}
    site_names = _site_names(body.model, tendons)
    for actuator in list(spec.actuators):
        if actuator.name in muscle_names:
            actuator.set_to_motor()
            actuator.ctrllimited = False
        else:
            spec.delete(actuator)
    for tendon in list(spec.tendons):
        if tendon.name not in tendon_names:
            spec.delete(tendon)
    for sensor in list(spec.sensors):
        spec.delete(sensor)
    for site in list(spec.sites):
        if site.name not in site_names:
            spec.delete(site)
    with prefix_warning_silenced():
        return spec.compile()


def _site_names(model: mujoco.MjModel, tendons: NDArray[np.intp]) -> set[str]:
    """Sites on the paths of some tendons, and those that say on which side of a surface a path runs."""
    sites: set[int] = set()
    for tendon in tendons:
        first = int(model.tendon_adr[tendon])
        for wrap in range(first, first + int(model.tendon_num[tendon])):
            is_site = model.wrap_type[wrap] == mujoco.mjtWrap.mjWRAP_SITE
            sites.add(int(model.wrap_objid[wrap] if is_site else model.wrap_prm[wrap]))
    return {model.site(site).name for site in sites - {-1}}


def _key(body: Body, keep: NDArray[np.intp]) -> str:
    """Digest of all that the reduced model depends on; muscle strength and time step are not among it."""
    model = copy.copy(body.model)
    model.actuator_gainprm[:], model.actuator_biasprm[:], model.opt.timestep = 0.0, 0.0, 0.0
    content = np.empty(mujoco.mj_sizeModel(model), dtype=np.uint8)
    mujoco.mj_saveModel(model, None, content)
    digest = hashlib.sha256(repr((VERSION, mujoco.mj_version(), keep.tolist())).encode())
    digest.update(content.data)
    return digest.hexdigest()[:32]
