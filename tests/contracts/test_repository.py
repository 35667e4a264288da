"""What the repository promises about itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ms_envs.motions import MOTIONS, motions_of

ROOT = Path(__file__).parents[2]


def test_readme_lists_every_environment_and_what_the_legs_can_do() -> None:
    rows = re.findall(r"\| `MSEmu/(\w+)-v0` \|[^|]*\|[^|]*\| *(yes)? *\|", (ROOT / "README.md").read_text())
    expected = {motion.env_name: "yes" if name in motions_of("myo-legs") else "" for name, motion in MOTIONS.items()}
    assert dict(rows) == expected


def test_tests_are_run_as_the_readme_says() -> None:
    (command,) = re.findall(r"uv run .*pytest.*", (ROOT / "README.md").read_text())
    assert command in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("package", ["ms-envs", "ms-agents"])
@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_packages_carry_licence_and_notice(package: str, name: str) -> None:
    assert (ROOT / "packages" / package / name).read_text() == (ROOT / name).read_text()
