"""How far noise of the muscles moves the joints, against the number of muscles: table, figure and page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from textwrap import fill
from typing import Any

import numpy as np
from ms_envs.motions import MOTIONS
from ms_envs.report_table import markdown_table, table_console, terminal_table
from numpy.typing import NDArray
from rich.progress import track

from benchmarks.coverage_figure import draw
from benchmarks.coverage_noise import (
    EXPLORERS,
    Noise,
    explorer_noise,
    grouped_noise,
    halved,
    like_muscles,
    random_groups,
)
from benchmarks.coverage_reach import CELL, POSTURES, STD, SUPPORT, TONE, JointInfluence, NoiseBench, RollOuts
from benchmarks.results_file import FOLDER, described, machine, write

MOTION = "walk"
TIMES = (0.1, 0.3, 0.5)
"""Times of the roll-outs that the table shows, s."""
LEGS = ("hip", "knee", "ankle", "subtalar")
"""Joints that all bodies have, moved by the same muscles."""


@dataclass(frozen=True)
class Reach:
    """One kind of noise on one body.

    Attributes:
        body: Name of the body.
        noise: Name of the explorer, or ``"alike"`` and ``"random"`` for groups of muscles that share their noise.
        independent: Number of independent actions.
        torque_share: Variance of each joint's torque in squares of its capacity, (J,).
        leg_torque_share: Its median over the joints of the legs.
        acceleration: Standard deviation of joint acceleration per unit of noise, median over joints, rad/s².
        displacement: RMS over all joints at each time of the roll-outs, degrees.
        interval: Bootstrap interval of it, lower and upper end, degrees.
        leg_displacement: RMS over the joints of the legs at each time, degrees.
        joint_dimensions: Effective number of dimensions of the joint angles at the end.
        joint_entropy: Volume of the joint angles at the end, bits.
        action_dimensions: Effective number of dimensions of the noise.
        episode_dimensions: The same within one roll-out.
    """

    body: str
    noise: str
    independent: int
    torque_share: list[float]
    leg_torque_share: float
    acceleration: float
    displacement: list[float]
    interval: list[list[float]]
    leg_displacement: list[float]
    joint_dimensions: float
    joint_entropy: float
    action_dimensions: float
    episode_dimensions: float


def run(bodies: Sequence[str], phases: int, repeats: int, threads: int) -> None:
    """Measure, print the table and keep it with its figure.

    Args:
        bodies: Names of bodies.
        phases: Evenly spaced starts of roll-outs.
        repeats: Roll-outs from each start.
        threads: Threads that step physics.
    """
    rows: list[Reach] = []
    crossing: dict[str, list[int]] = {}
    for name in bodies:
        bench = NoiseBench(name, f"ms_envs:{MOTIONS[MOTION].env_id}", phases, repeats, threads)
        influence = JointInfluence.of(bench.base.body, bench.base.clip)
        crossing[name] = influence.crossing.tolist()
        noises = _noises(bench)
        rows += [_measure(bench, influence, noise) for noise in track(noises, description=name)]
        bench.env.close()
    settings = {"motion": MOTION, "postures": POSTURES, "starts": phases, "roll-outs per start": repeats}
    settings |= {"noise": STD, "tone": TONE, "support": SUPPORT}
    for title, columns in (("Torque that noise reaches", _TORQUE), ("Movement by noise", _MOVEMENT)):
        table_console().print(terminal_table(columns, rows, title=title, text=_TEXT))
    results = {"machine": machine(), "settings": settings, "crossing": crossing, "rows": [asdict(row) for row in rows]}
    draw(rows, crossing, TIMES[-1], FOLDER / "coverage.png")
    write("coverage", results, _page(rows, crossing, results))


def _noises(bench: NoiseBench) -> list[Noise]:
    moments = bench.base.action_moments
    joints, muscles = moments.shape
    sizes = halved(muscles, joints)[1:]
    return [
        *(explorer_noise(name, bench.env) for name in EXPLORERS),
        *(grouped_noise("alike", like_muscles(moments, size)) for size in sizes),
        *(grouped_noise("random", random_groups(muscles, size, seed=0)) for size in sizes[-1:]),
    ]


def _measure(bench: NoiseBench, influence: JointInfluence, noise: Noise) -> Reach:
    steps = round(TIMES[-1] / bench.base.control_timestep)
    roles = bench.base.body.joint_roles
    legs = np.concatenate([roles[f"{joint}_{side}"] for joint in LEGS for side in "rl"])
    share = influence.torque_share(noise.covariance)
    outcome: RollOuts = bench.roll_out(noise, steps)
    return Reach(
        body=bench.base.body.name,
        noise=noise.name,
        independent=noise.independent,
        torque_share=share.tolist(),
        leg_torque_share=float(np.median(share[legs])),
        acceleration=float(np.median(influence.acceleration(noise.covariance))),
        displacement=outcome.rms().tolist(),
        interval=outcome.rms_interval().tolist(),
        leg_displacement=outcome.rms(legs).tolist(),
        joint_dimensions=outcome.joint_dimensions,
        joint_entropy=outcome.joint_entropy,
        action_dimensions=outcome.action_dimensions,
        episode_dimensions=outcome.episode_dimensions,
    )


_TEXT: dict[str, Callable[[Reach], str]] = {"body": lambda r: r.body, "noise": lambda r: r.noise}
_COUNT: dict[str, Callable[[Reach], str]] = {"actions": lambda r: str(r.independent)}
_TORQUE = {
    **_TEXT,
    **_COUNT,
    "torque (%)": lambda r: f"{100 * float(np.median(r.torque_share)):.1f}",
    "of legs (%)": lambda r: f"{100 * r.leg_torque_share:.1f}",
    "acceleration (rad/s²)": lambda r: f"{r.acceleration:.0f}",
}
_MOVEMENT = {
    **_TEXT,
    **_COUNT,
    "joints (deg)": lambda r: _times(r.displacement),
    "of legs (deg)": lambda r: _times(r.leg_displacement),
    "joint dims": lambda r: f"{r.joint_dimensions:.1f}",
    "joint bits": lambda r: f"{r.joint_entropy:.0f}",
    "action dims": lambda r: f"{r.action_dimensions:.0f}",
    "in one": lambda r: f"{r.episode_dimensions:.0f}",
}


def _page(rows: Sequence[Reach], crossing: dict[str, list[int]], results: dict[str, Any]) -> str:
    measured = described(results["settings"] | results["machine"])
    times = " / ".join(f"{time:g}" for time in TIMES)
    return f"""# What noise of the muscles moves

![Torque, movement and dimensions that noise reaches](coverage.png)

MS-Emulator argues that the variance which reaches a joint under isotropic noise falls as one over the number of
muscles |A|. Measured, that holds nearly for the muscles of a joint, and not for those of the body:

{_findings(rows, crossing)}

Every muscle gets the same noise in all rows. Explorers are as before training; the flow then is `gaussian`. `alike` and
`random`: all muscles act, but those of a group share their noise; groups are made of muscles that do alike at the
joints, or dealt by chance. *Actions*: how many are independent. Made by `python -m benchmarks coverage`.

## Torque

{markdown_table(_TORQUE, rows, text=_TEXT)}
*Torque*: variance of a joint's torque in squares of what all its muscles together can exert, median over all joints and
over hip, knee, ankle and subtalar joints: 1/n if n equal muscles have noise of their own, 100 % if they have the same.
*Acceleration*: standard deviation per unit of noise with the root held, median over joints. Both count moment arms and
peak isometric forces in {POSTURES} postures of the clip.

## Movement

{markdown_table(_MOVEMENT, rows, text=_TEXT)}
*Joints*: how far angles are from those of the same start without noise after {times} s, RMS over joints.
Noise of {STD:g} is added to the activations of the clip, brought between {TONE:g} and {1 - TONE:g} so that nothing is
clipped; a spring holds the root. *Joint dims*: effective dimensions `(Σλ)² / Σλ²` of the angles after {TIMES[-1]:g} s.
*Joint bits*: `½ Σ log₂(1 + λ / ({CELL:g}°)²)`, the logarithm of their volume. *Action dims*: effective dimensions of
the noise of all roll-outs, and *in one* of them.

{measured}.
"""


def _findings(rows: Sequence[Reach], crossing: dict[str, list[int]]) -> str:
    gaussian = [row for row in rows if row.noise == "gaussian"]
    bodies = _listed(str(row.independent) for row in gaussian)
    count = np.concatenate([crossing[row.body] for row in gaussian])
    share = np.concatenate([row.torque_share for row in gaussian])

    def of(row: Reach, noise: str) -> list[Reach]:
        return [other for other in rows if (other.body, other.noise) == (row.body, noise)]

    def powers(noise: str) -> str:
        series = [[row, *of(row, noise)] for row in gaussian]
        shares = [[float(np.median(r.torque_share)) for r in chosen] for chosen in series]
        return _listed(f"{exponent([r.independent for r in c], s):.2f}" for c, s in zip(series, shares, strict=True))

    def gains(noise: str, time: float) -> str:
        pairs = [(other, row) for row in gaussian for other in of(row, noise)]
        return _listed(f"{_at(o.displacement, time) / _at(r.displacement, time):.1f}" for o, r in pairs)

    def overlapping(noise: str, time: float) -> int:
        pairs = [(other.interval, row.interval) for row in gaussian for other in of(row, noise)]
        return sum(_at(o[0], time) <= _at(r[1], time) and _at(r[0], time) <= _at(o[1], time) for o, r in pairs)

    lines = [
        f"- Joint by joint, the share of the torque falls with the muscles that cross the joint to the power "
        f"{_listed([f'{exponent(count, share):.2f}'])} ({len(count)} joints, {count.min()} to {count.max()} muscles).",
        f"- Muscles elsewhere do not matter: on bodies of {bodies} muscles, noise reaches "
        + _listed(f"{100 * row.leg_torque_share:.1f}" for row in gaussian)
        + " % at the joints of the legs and moves them by "
        + _listed(f"{_at(row.leg_displacement, TIMES[0]):.2f}" for row in gaussian)
        + f"° in {TIMES[0]:g} s.",
        f"- If muscles that do alike share their noise, the share of the torque goes with the number of independent "
        f"actions to the power {powers('alike')}; if chance says who shares it, to the power {powers('random')}.",
    ]
    lines += [
        f"- `{noise}` moves joints {gains(noise, TIMES[0])} times as far as `gaussian` in {TIMES[0]:g} s and "
        f"{gains(noise, TIMES[-1])} times as far in {TIMES[-1]:g} s. Bootstrap intervals (95 %) of the two overlap on "
        f"{overlapping(noise, TIMES[0])} and on {overlapping(noise, TIMES[-1])} of the bodies."
        for noise in ("correlated", "gsde")
    ]
    return "\n".join(fill(line, 120, subsequent_indent="  ", break_long_words=False) for line in lines)


def _listed(values: Iterable[str]) -> str:
    *first, last = (value.replace("-", "−") for value in values)
    return f"{', '.join(first)} and {last}" if first else last


def _at(values: Sequence[float], time: float) -> float:
    return values[round(len(values) * time / TIMES[-1]) - 1]


def _times(values: Sequence[float]) -> str:
    return " / ".join(f"{_at(values, time):.1f}" for time in TIMES)


def exponent(counts: Sequence[int] | NDArray[Any], shares: Sequence[float] | NDArray[Any]) -> float:
    """Power of the count that shares follow, by least squares of logarithms; −1 if they fall as one over it."""
    return float(np.polyfit(np.log(counts), np.log(shares), 1)[0])
