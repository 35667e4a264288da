"""How well predicted muscle timing in walking agrees with published electromyography: table, figure and page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ms_envs.atomic_file import atomic_file
from numpy.typing import NDArray
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.muscle_timing import (
    FLOOR,
    PERCENT,
    Muscle,
    Prediction,
    active,
    common_shifts,
    compare,
    normative,
    predict,
)
from benchmarks.results_file import FOLDER, described, machine, write

THRESHOLDS = (0.1, 0.2, 0.3)
"""Shares of its own peak above which a muscle counts as on."""
THRESHOLD = 0.2
"""The one of them that single muscles are shown with."""
COLOURS = {"right": "#1f77b4", "left": "#d95f02"}
"""Of the legs in the figure."""


def run(bodies: Sequence[str]) -> None:
    """Compare, print the page and write it to ``results/``.

    Args:
        bodies: Names of the bodies; the first one is drawn and shown muscle by muscle.

    Raises:
        ValueError: If a body is unknown, or lacks one of the muscles.
    """
    source, muscles = normative()
    published = np.array([muscle.pattern for muscle in muscles])
    predictions = [predict(name, muscles) for name in bodies]
    results = {
        "machine": machine(),
        "source": source,
        "bodies": {prediction.body: _summary(prediction, muscles, published) for prediction in predictions},
    }
    _draw(predictions[0], muscles, published, FOLDER / "emg.png")
    page = _page(results, muscles)
    Console().print(Markdown(page))
    write("emg", results, page)


def _summary(prediction: Prediction, muscles: Sequence[Muscle], published: NDArray[np.bool_]) -> dict[str, Any]:
    agreement = compare(active(prediction.activation, THRESHOLD), published)
    rows = zip(muscles, prediction.activation.max(axis=-1).T, *(values.T for values in agreement), strict=True)
    return {
        "gait": {name: round(value, 3) for name, value in prediction.gait.items()},
        "unreachable_torque": round(prediction.unreachable, 4),
        "mean": {f"{t:.0%}": _mean(active(prediction.activation, t), published) for t in THRESHOLDS},
        "muscles": {
            muscle.name: {
                name: dict(zip(("right", "left"), np.round(values, 3).tolist(), strict=True))
                for name, values in zip(("peak", "agreement", "chance", "kappa"), measured, strict=True)
            }
            for muscle, *measured in rows
        },
    }


def _mean(predicted: NDArray[np.bool_], published: NDArray[np.bool_]) -> dict[str, float]:
    """Means over muscles and legs, and what a shift of all predictions together would change."""
    agreement, shifts = compare(predicted, published), common_shifts(predicted, published)
    best = max(shifts, key=lambda shift: shifts[shift])
    return {
        "agreement": round(float(agreement.share.mean()), 3),
        "chance": round(float(agreement.chance.mean()), 3),
        "kappa": round(float(agreement.kappa.mean()), 3),
        "best_shift": best,
        "kappa_at_best_shift": round(shifts[best], 3),
        "share_of_shifts_as_good": round(float(np.mean([kappa >= shifts[0] for kappa in shifts.values()])), 2),
    }


def _page(results: dict[str, Any], muscles: Sequence[Muscle]) -> str:
    name, shown = next(iter(results["bodies"].items()))
    source, walk, found = results["source"], shown["gait"], shown["mean"][f"{THRESHOLD:.0%}"]
    rows = "\n".join(_row(muscle, shown["muscles"][muscle.name]) for muscle in muscles)
    return f"""# Muscle timing in walking

Activations that static optimisation predicts for the `walk` clip, beside published on and off times of
electromyography (EMG). Made by `python -m benchmarks emg`.

On {name} they agree on {found["agreement"]:.0%} of the gait cycle, where chance gives {found["chance"]:.0%}: kappa
{found["kappa"]:.2f}, mean of {len(muscles)} muscles and both legs.

| body | threshold | agreement | chance | kappa | best shift | as good |
|---|---:|---:|---:|---:|---:|---:|
{_means(results["bodies"])}

Means over the muscles below and both legs. *Threshold*: share of its own peak above which a muscle counts as on, and
never below an activation of {FLOOR}. *Agreement*: share of the gait cycle where prediction and publication are both on
or both off. *Chance*: its mean over all circular shifts of the prediction. *Kappa* (Cohen 1960): 0 by chance, 1 for
equal patterns. *Best shift*: by how much later all predictions together would agree best, in percent of the cycle, and
kappa there. *As good*: share of all such shifts with at least the kappa of none.

## {name}

![Predicted activation of {name} and published intervals](emg.png)

Curves are scaled to their own peak. At a threshold of {THRESHOLD:.0%}, right / left leg; `emg.json` has the same
numbers of the other bodies.

| muscle | published on, % of cycle | agreement | chance | kappa | peak activation |
|---|---|---:|---:|---:|---:|
{rows}

## What disagrees

{_extremes(shown["muscles"])}

Likely reasons:

- The walk is not the average one. It is slow, {walk["speed"]:.2f} m/s at {walk["cadence"]:.0f} steps/min, and crouched:
  the knee lands {walk["knee_at_contact"]:.0f}° bent and reaches {walk["knee_at_most"]:.0f}° in swing, the ankle reaches
  {walk["ankle_at_most"]:.0f}° of dorsiflexion before a late push-off.
- Tendons are rigid, so that fibres shorten as fast as the joint turns. In the fast push-off the soleus has a small part
  of its strength left and is almost fully active for it; what it does in mid stance falls below the threshold.
- Forces under the feet were not measured but are found together with the activations, at least effort: the centre of
  pressure may lie where the ankle need not hold against it.
- Static optimisation knows no co-contraction and shares load between muscles by least squared activation.
- EMG leads activation by the time constants of muscles, 1 to 3 % of the cycle.

## How it was computed

Stance lasts {walk["stance"]:.0f} % of the cycle, which begins when the clip's own contact labels let the foot of that
leg touch the floor. Compartments of one muscle are averaged with their peak force as weight; the two parts of gluteus
maximus are the first and the last of its three compartments. Published times were not rescaled to the clip's stance.
{shown["unreachable_torque"]:.1%} of the joint torque is out of the muscles' reach.

## Source

{source["citation"]}

The intervals were not read from the book but from [a transcription of it]({source["url"]}) that gives no pages. Every
muscle of the transcription is shown, with its main pattern; the less common patterns that it lists for some are not.

{described(results["machine"])}.
"""


def _means(bodies: dict[str, Any]) -> str:
    return "\n".join(
        f"| {name} | {threshold} | {mean['agreement']:.0%} | {mean['chance']:.0%} | {mean['kappa']:.2f} "
        f"| {mean['best_shift']:+d} ({mean['kappa_at_best_shift']:.2f}) | {mean['share_of_shifts_as_good']:.0%} |"
        for name, body in bodies.items()
        for threshold, mean in body["mean"].items()
    )


def _row(muscle: Muscle, measured: dict[str, dict[str, float]]) -> str:
    published = ", ".join(f"{first:g}–{last:g}" for first, last in muscle.on)
    share, chance = (" / ".join(f"{v:.0%}" for v in measured[name].values()) for name in ("agreement", "chance"))
    kappa, peak = (" / ".join(f"{v:.2f}" for v in measured[name].values()) for name in ("kappa", "peak"))
    return f"| {muscle.name} | {published} | {share} | {chance} | {kappa} | {peak} |"


def _extremes(measured: dict[str, dict[str, dict[str, float]]], count: int = 5) -> str:
    kappa = {name: float(np.mean(list(values["kappa"].values()))) for name, values in measured.items()}
    order = [f"{name[0].lower()}{name[1:]} ({kappa[name]:.2f})" for name in sorted(kappa, key=lambda name: kappa[name])]
    best, worst = "; ".join(order[: -count - 1 : -1]), "; ".join(order[:count])
    return f"Highest kappa, mean of both legs: {best}.\nLowest: {worst}."


def _draw(prediction: Prediction, muscles: Sequence[Muscle], published: NDArray[np.bool_], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    agreement = compare(active(prediction.activation, THRESHOLD), published)
    figure, axis = pyplot.subplots(figsize=(8.6, 0.4 * len(muscles) + 1.2), layout="constrained")
    for row, muscle in enumerate(muscles):
        axis.broken_barh([(first, last - first) for first, last in muscle.on], (row - 0.02, 0.16), color="0.2")
        for leg, (side, colour) in enumerate(COLOURS.items()):
            curve = prediction.activation[leg, row] / prediction.activation[leg, row].max()
            label = f"predicted, {side} leg" if row == 0 else None
            axis.fill_between(
                PERCENT, row - 0.06, row - 0.06 - 0.68 * curve, color=colour, alpha=0.5, lw=0, label=label
            )
            axis.text(104 + 9 * leg, row, f"{agreement.kappa[leg, row]:.2f}", color=colour, ha="center")
        axis.text(123, row, f"{agreement.share[:, row].mean():.0%}", ha="center")
    for x, heading in ((104, "kappa\nright"), (113, "kappa\nleft"), (123, "agree,\nmean")):
        axis.text(x, -0.95, heading, ha="center", va="bottom", fontsize="small")
    axis.axvline(prediction.gait["stance"], color="0.4", lw=1, ls="--", label="end of stance")
    axis.barh(0, 0, color="0.2", label="published EMG")
    axis.set(xlim=(0, 100), ylim=(len(muscles) - 0.6, -0.9), xlabel="gait cycle from initial contact, %")
    axis.set_yticks(range(len(muscles)), [muscle.name for muscle in muscles])
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    with atomic_file(path) as temporary:
        figure.savefig(temporary, dpi=100, bbox_inches="tight")
    pyplot.close(figure)
