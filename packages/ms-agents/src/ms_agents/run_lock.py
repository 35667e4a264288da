"""One process at a time for one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def run_lock(run: Path) -> Iterator[None]:
    """Keep a run directory to this process; the lock ends with the process, however that ends.

    Args:
        run: The run directory, made if it is not there.

    Raises:
        ValueError: If another process has it.
    """
    run.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"another process is training in {run}; wait for it, or choose another directory") from None
    try:
        yield
    finally:
        lock.release()
