"""The bodies, as a table."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ms_envs.bodies import BODIES, load_body

_HEADINGS = {
    "muscles": "right",
    "nv": "right",
    "joints": "right",
    "mass kg": "right",
    "licence": "left",
    "from": "left",
}


def print_table(console: Console | None = None) -> None:
    """Print muscles, degrees of freedom, mass, licence and origin of every body.

    Why a body cannot be loaded stands under the table.

    Args:
        console: Where to print; standard output by default.
    """
    console = console or Console()
    table = Table(title="Bodies", caption="nv: velocity coordinates; joints: independent joints besides the free root")
    table.add_column("body", no_wrap=True)
    for heading, justify in _HEADINGS.items():
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    reasons = []
    for name in BODIES:
        try:
            table.add_row(name, *_row(name))
        except (FileNotFoundError, ImportError) as error:
            table.add_row(name, "not available")
            reasons.append(f"{name}: {error}")
    console.print(table)
    for reason in reasons:
        console.print(reason, markup=False, highlight=False)


def _row(name: str) -> tuple[str, ...]:
    body = load_body(name)
    joints = str(len(body.joint_ids))
    return str(body.model.nu), str(body.model.nv), joints, f"{body.mass:.1f}", body.licence, body.source
