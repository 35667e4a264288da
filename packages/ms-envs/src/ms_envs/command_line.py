"""What the commands of all packages have in common."""

from __future__ import annotations

from collections.abc import Sequence


def refuse_repeated(words: Sequence[str]) -> None:
    """Make sure that no option of a command line is given twice, since only the last one would count.

    Args:
        words: The command line, without the name of the program.

    Raises:
        ValueError: If one is.
    """
    options = [word.partition("=")[0].replace("_", "-") for word in words if word.startswith("--")]
    for option in options:
        if options.count(option) > 1:
            raise ValueError(f"{option} is given twice; give it once, with all its values behind it")
