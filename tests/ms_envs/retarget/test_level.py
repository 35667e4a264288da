import numpy as np
import pytest
from ms_envs.bodies import Body
from ms_envs.motions import load_clip
from ms_envs.retarget import deepmimic, ground, level, skeleton
from ms_envs.retarget.source import SourceMotion

pytest.importorskip("pybullet_data", reason="the recordings come with pybullet, which is not installed")


def props_of(body: Body, motion: str) -> tuple[skeleton.Skeleton, SourceMotion, level.Props]:
    bones, recording = skeleton.measure(body), deepmimic.read_clip(motion)
    return bones, recording, level.find_props(bones, recording)


@pytest.mark.parametrize("motion", ["crawl", "getup_facedown"])
def test_knees_and_arms_that_bear_weight_in_the_recording_are_on_the_floor(fullbody: Body, motion: str) -> None:
    _, _, props = props_of(fullbody, motion)
    height = ground.lowest_heights(fullbody, load_clip(motion, fullbody).qpos, ground.colliding_geoms(fullbody))
    limbs = np.array(ground.limb_of(fullbody, ground.colliding_geoms(fullbody)))
    for limb, rests in props.resting().items():
        assert rests.mean() > 0.2
        assert np.mean(height[rests][:, limbs == limb].min(axis=1) < 0.02) > 0.9, limb


@pytest.mark.parametrize("motion", ["walk", "cartwheel", "roll"])
def test_a_motion_that_is_never_on_knees_and_arms_is_left_as_it_is(fullbody: Body, motion: str) -> None:
    bones, recording, props = props_of(fullbody, motion)
    assert not props.kneeling.any()
    assert level.levelled(bones, recording, props) is recording


def test_levelling_brings_what_bears_weight_to_its_height_of_rest(fullbody: Body) -> None:
    bones, recording, props = props_of(fullbody, "crawl")
    points = skeleton.key_points(bones, level.levelled(bones, recording, props))
    for name, bears in props.bearing.items():
        height = points.position[bears, points.index(name), 2]
        assert np.abs(height - level.REST_HEIGHT[name.partition("_")[0]]).mean() < 0.02, name


def test_legs_without_a_trunk_never_kneel(legs: Body) -> None:
    _, recording, props = props_of(legs, "crawl")
    assert not props.kneeling.any() and len(props.kneeling) == len(recording)
    assert props.resting() == {}
