from __future__ import annotations

import numpy as np
import pytest
from ms_envs.inverse import Storage, read_storage, write_storage

GOOD = "Coordinates\nversion=1\nnRows=2\nnColumns=3\ninDegrees=yes\n\nendheader\ntime\tknee\thip\n0\t1\t2\n0.1\t3\t4\n"


def test_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 3)) * [1e-6, 1.0, 1e5]
    table = Storage("Forces", np.arange(7) / 30, ("a_force", "b", "/forceset/c"), values, in_degrees=True)
    write_storage(tmp_path / "table.sto", table)
    read = read_storage(tmp_path / "table.sto")
    assert (read.name, read.labels, read.in_degrees) == (table.name, table.labels, table.in_degrees)
    np.testing.assert_allclose(read.values, values, rtol=1e-9)
    np.testing.assert_allclose(read.time, table.time, rtol=1e-9)
    assert [path.name for path in tmp_path.iterdir()] == ["table.sto"]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("\t", "   ").replace("endheader", "Angles are in degrees.\nENDHEADER"),
        "DataType=double\nversion=3\nOpenSimVersion=4.5\ninDegrees=yes\nendheader\ntime\tknee\thip\n0\t1\t2\n0.1\t3\t4\n",
        "name a.mot\ndatacolumns 3\ndatarows 2\nrange 0 0.1\ninDegrees=yes\nendheader\n"
        "time\tknee\thip\n0\t1\t2\n0.1\t3\t4\n\n",
    ],
)
def test_forms_that_opensim_and_simm_write(tmp_path, text):
    path = tmp_path / "table.mot"
    path.write_text(text)
    read = read_storage(path)
    assert read.labels == ("knee", "hip") and read.in_degrees
    np.testing.assert_array_equal(read.values, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("endheader\n", ""), "no line `endheader`"),
        (("nRows=2", "nRows=5"), "has 2 rows, its header announces 5"),
        (("nColumns=3", "nColumns=4"), "has 3 columns, its header announces 4"),
        (("0.1\t3\t4", "0.1\t3"), "line 10: 2 values for 3 columns"),
        (("0.1\t3\t4", "0.1\tthree\t4"), "line 10: could not convert"),
        (("0.1\t3\t4", "0.1\tnan\t4"), "line 10: not every value"),
        (("0.1\t3\t4", "0\t3\t4"), "line 10: time does not increase"),
        (("time\tknee", "frame\tknee"), "the first one `time`"),
        (("knee\thip", "hip\thip"), "expected different labels"),
        (("time\tknee\thip\n0\t1\t2\n0.1\t3\t4\n", ""), "no data"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path, change, message):
    path = tmp_path / "table.mot"
    path.write_text(GOOD.replace(*change))
    with pytest.raises(ValueError, match=message):
        read_storage(path)


def test_binary_and_missing_files_are_refused(tmp_path):
    path = tmp_path / "table.mot"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a text file"):
        read_storage(path)
    with pytest.raises(FileNotFoundError, match="no OpenSim table"):
        read_storage(tmp_path / "other.mot")


@pytest.mark.parametrize("labels", [("a", "a"), ("a b", "c"), ("", "c"), ("a",), ("time", "b")])
def test_unusable_labels_are_refused(tmp_path, labels):
    with pytest.raises(ValueError, match="label"):
        write_storage(tmp_path / "table.sto", Storage("x", np.arange(2.0), labels, np.zeros((2, 2))))
    assert not list(tmp_path.iterdir())
