"""Figures of fitted paths: errors by region, and the muscle model beside MuJoCo's."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from ms_envs.atomic_file import atomic_file
from ms_envs.bodies.body import Body
from ms_envs.paths.quality import PathQuality
from ms_envs.physics.muscle_kernel import MuscleTable, advance_activations, muscle_forces, muscle_table

Array = NDArray[np.float64]

NOTHING = 1e-6
"""Errors below are those of muscles whose length does not change, mm."""

BOUNDS = {"length": (0.5, "RMS error of length (mm)"), "moment_arm": (0.5, "RMS error of moment arm (mm/rad)")}
"""Greatest RMS error asked for, and label."""


def error_figure(quality: PathQuality, path: Path) -> None:
    """Draw the error of every fitted muscle, by region, on uniform poses and along the clips.

    Args:
        quality: What was measured.
        path: Picture; it appears only once it is complete.
    """
    from matplotlib.figure import Figure

    groups = quality.body.muscle_groups
    regions = list(dict.fromkeys(name.rsplit("_", 1)[0] for name in groups))
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axis, (name, (bound, label)) in zip(figure.subplots(1, 2), BOUNDS.items(), strict=True):
        for offset, poses, colour in ((-0.2, "uniform", "C0"), (0.2, "clips", "C1")):
            values = 1e3 * getattr(getattr(quality, poses), name)
            for position, region in enumerate(regions):
                muscles = np.concatenate([groups[f"{region}_{side}"] for side in ("right", "left")])
                own = values[np.intersect1d(muscles, quality.paths.fitted)]
                own = own[own > NOTHING]
                place = position + offset + np.linspace(-0.15, 0.15, len(own))
                axis.plot(place, own, ".", ms=3, color=colour, label=poses if position == 0 else None)
        axis.axhline(bound, color="0.5", lw=1, ls="--")
        axis.set_yscale("log")
        axis.set_xticks(range(len(regions)), regions)
        axis.set_ylabel(label)
        axis.grid(axis="y", alpha=0.3)
    figure.axes[0].legend(frameon=False, markerscale=3)
    figure.suptitle(f"{quality.body.name}: every dot a muscle whose length changes; {len(quality.paths.exact)} exact")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=110)


def muscle_figure(body: Body, path: Path, muscle: int = 0) -> None:
    """Draw force over length, force over velocity and the course of activation, by the kernel and by MuJoCo.

    Args:
        body: The body.
        path: Picture; it appears only once it is complete.
        muscle: Which of its muscles.
    """
    from matplotlib.figure import Figure

    table = MuscleTable(*(values[muscle : muscle + 1] for values in muscle_table(body.model)))
    peak = float(table.peak[0])
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    isometric, concentric, activation = figure.subplots(1, 3)
    normal = np.linspace(0.4, 1.8, 141)
    length = (normal - table.offset[0]) / table.scale[0]
    for level, colour in ((0.0, "C7"), (0.5, "C0"), (1.0, "C3")):
        ours, mujocos = _forces(body, muscle, table, length, np.zeros_like(length), level)
        _pair(isometric, normal, -ours / peak, -mujocos / peak, colour, f"activation {level:g}")
    isometric.margins(y=0.4)  # room for the legend
    isometric.set(xlabel="fibre length (optimal lengths)", ylabel="force (peak isometric)", title="isometric")
    speed = np.linspace(-1.2, 1.2, 121)
    optimal = (1 - table.offset[0]) / table.scale[0]
    ours, mujocos = _forces(body, muscle, table, np.full_like(speed, optimal), speed / table.velocity_scale[0], 1.0)
    _pair(concentric, speed, -ours / peak, -mujocos / peak, "C3", "activation 1")
    concentric.set(xlabel="lengthening velocity (greatest)", title="concentric and eccentric")
    time, excitation, kernel, reference = _activation_course(body, muscle, table)
    activation.plot(time, excitation, color="0.7", lw=1, label="excitation")
    _pair(activation, time, kernel, reference, "C0", "activation")
    activation.set(xlabel="time (s)", title="rise and decay")
    for axis in (isometric, concentric, activation):
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize="small")
    figure.suptitle(f"{body.muscle_names[muscle]} of {body.name}: kernel (lines) and MuJoCo (dots)")
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _pair(axis, x: Array, line: Array, dots: Array, colour: str, label: str) -> None:  # type: ignore[no-untyped-def]
    axis.plot(x, line, color=colour, lw=1, label=label)
    axis.plot(x[::6], dots[::6], ".", color=colour, ms=5)


def _forces(
    body: Body, muscle: int, table: MuscleTable, length: Array, velocity: Array, activation: float
) -> tuple[Array, Array]:
    """Force of one muscle by the kernel and by MuJoCo, N."""
    model = body.model
    limits, strength = model.actuator_lengthrange[muscle], model.actuator_acc0[muscle]
    gain, bias = model.actuator_gainprm[muscle, :9], model.actuator_biasprm[muscle, :9]
    ours, force = np.empty_like(length), np.empty(1)
    mujocos = np.empty_like(length)
    for i, (own, speed) in enumerate(zip(length, velocity, strict=True)):
        muscle_forces(table, np.array([own]), np.array([speed]), np.array([activation]), force)
        ours[i] = force[0]
        mujocos[i] = activation * mujoco.mju_muscleGain(own, speed, limits, strength, gain)
        mujocos[i] += mujoco.mju_muscleBias(own, limits, strength, bias)
    return ours, mujocos


def _activation_course(body: Body, muscle: int, table: MuscleTable) -> tuple[Array, Array, Array, Array]:
    """Time, a pulse of excitation, and the activation that it causes by the kernel and by MuJoCo."""
    timestep = body.model.opt.timestep
    time = np.arange(0, 0.4, timestep)
    excitation = np.where((time > 0.05) & (time < 0.2), 1.0, 0.0)
    kernel, reference = np.zeros_like(time), np.zeros_like(time)
    own, parameters = np.zeros(1), body.model.actuator_dynprm[muscle, :3]
    for i in range(1, len(time)):
        advance_activations(table, timestep, excitation[i - 1 : i], own)
        kernel[i] = own[0]
        rate = mujoco.mju_muscleDynamics(excitation[i - 1], reference[i - 1], parameters)
        reference[i] = reference[i - 1] + timestep * rate
    return time, excitation, kernel, reference
