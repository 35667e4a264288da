from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
import torch
from ms_agents.checkpoint import arrays_from_tensors, read_checkpoint, tensors_from_arrays, write_checkpoint


def test_what_is_written_is_read(tmp_path):
    arrays = {"a": np.arange(3, dtype=np.uint64), "b": [np.array([True]), 2**100, "text", None, 0.1]}
    write_checkpoint(tmp_path / "c.pt", tensors_from_arrays(arrays))
    state = arrays_from_tensors(read_checkpoint(tmp_path / "c.pt"))
    assert np.array_equal(state["a"], arrays["a"]) and state["a"].dtype == np.uint64
    assert state["b"][1:] == arrays["b"][1:]


def test_reading_never_runs_code_from_the_file(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    torch.save({"format": 1, "x": Bomb()}, tmp_path / "c.pt")
    (tmp_path / "d.pt").write_bytes(pickle.dumps(Bomb()))
    for name in ("c.pt", "d.pt"):
        with pytest.raises(ValueError, match="not a usable checkpoint"):
            read_checkpoint(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_a_truncated_or_foreign_file_is_refused(tmp_path):
    path = tmp_path / "c.pt"
    write_checkpoint(path, {"x": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match="not a usable checkpoint"):
        read_checkpoint(path)
    torch.save({"format": 99}, path)
    with pytest.raises(ValueError, match="format 99"):
        read_checkpoint(path)
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        read_checkpoint(tmp_path / "nothing.pt")


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "c.pt"
    write_checkpoint(path, {"x": 1})
    with pytest.raises(Exception, match="pickle"):
        write_checkpoint(path, {"x": lambda: None})
    assert read_checkpoint(path)["x"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["c.pt"]


def test_unknown_types_are_refused():
    with pytest.raises(ValueError, match="cannot hold a object"):
        tensors_from_arrays({"x": [object()]})
