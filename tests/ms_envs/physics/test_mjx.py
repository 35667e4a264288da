from __future__ import annotations

import pytest

pytest.importorskip("mujoco.mjx")

from ms_envs.physics.mjx_model import Buffers


def test_unusable_buffers_are_refused() -> None:
    assert Buffers.from_arguments({"contacts": 7}).contacts == 7
    with pytest.raises(ValueError, match="'contact'.*'contacts', 'constraints'"):
        Buffers.from_arguments({"contact": 7})
    with pytest.raises(ValueError, match="at least 1"):
        Buffers.from_arguments({"constraints": 0})
