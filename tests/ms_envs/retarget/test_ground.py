import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ms_envs.bodies import Body
from ms_envs.retarget import ground

SHAPES = {
    "sphere": "size='.3'",
    "capsule": "size='.1 .3'",
    "ellipsoid": "size='.1 .2 .3'",
    "cylinder": "size='.1 .3'",
    "box": "size='.1 .2 .3'",
}


@pytest.mark.parametrize("shape", SHAPES)
@given(axis=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1), angle=st.floats(0, 6))
def test_lowest_height_is_the_distance_mujoco_measures_to_the_floor(shape: str, axis: tuple, angle: float) -> None:
    model = mujoco.MjModel.from_xml_string(
        f"<mujoco><worldbody><geom type='plane' size='5 5 .1'/><body pos='0 0 2'><freejoint/>"
        f"<geom type='{shape}' {SHAPES[shape]} density='1'/></body></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mju_axisAngle2Quat(data.qpos[3:7], np.array(axis) / np.linalg.norm(axis), angle)
    mujoco.mj_kinematics(model, data)
    height = ground.support_point(model, data, 1, (0, 0, -1))[2]
    assert height == pytest.approx(mujoco.mj_geomDistance(model, data, 0, 1, 10.0, None), abs=1e-6)


def test_a_plane_has_no_lowest_point(legs: Body) -> None:
    data = mujoco.MjData(legs.model)
    mujoco.mj_kinematics(legs.model, data)
    with pytest.raises(ValueError, match="no lowest point"):
        ground.support_point(legs.model, data, legs.model.geom("floor").id, (0, 0, -1))


def test_fingers_and_toes_belong_to_their_limbs(fullbody: Body) -> None:
    geoms = ground.colliding_geoms(fullbody)
    limbs = dict(zip(geoms.tolist(), ground.limb_of(fullbody, geoms), strict=True))
    for segment, limb in {"toes_r": "foot_r", "hand_l": "hand_l", "thigh_r": "trunk", "pelvis": "trunk"}.items():
        assert {limbs[int(g)] for g in ground.geoms_of(fullbody, segment)} == {limb}
    assert set(limbs.values()) == {"foot_r", "foot_l", "hand_r", "hand_l", "trunk"}
