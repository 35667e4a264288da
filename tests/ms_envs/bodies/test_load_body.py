from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
import pytest
from ms_envs.bodies import BODIES, Body, load_body

BodyNamed = Callable[[str], Body]
every_body = pytest.mark.parametrize("name", list(BODIES))
full_bodies = pytest.mark.parametrize("name", ["myo-fullbody", "ms-human-700"])


def meets_floor(model: mujoco.MjModel, geom: int) -> bool:
    floor = model.geom("floor").id
    types, affinities = model.geom_contype, model.geom_conaffinity
    return bool((types[geom] & affinities[floor]) | (types[floor] & affinities[geom]))


def standing(body: Body) -> mujoco.MjData:
    data = mujoco.MjData(body.model)
    data.qpos[:] = body.complete(body.model.qpos0.copy())
    mujoco.mj_forward(body.model, data)
    return data


@pytest.mark.parametrize(
    ("name", "muscles", "joints"), [("myo-legs", 80, 14), ("myo-fullbody", 416, 31), ("ms-human-700", 700, 37)]
)
def test_sizes_are_those_of_the_published_models(body_named: BodyNamed, name: str, muscles: int, joints: int) -> None:
    body = body_named(name)
    assert (body.model.nu, len(body.joint_ids)) == (muscles, joints)
    assert body.model.nv == 6 + joints + len(body.coupled_joint_ids)


@every_body
def test_every_muscle_is_in_exactly_one_group_and_sides_are_equal(body_named: BodyNamed, name: str) -> None:
    body = body_named(name)
    indices = np.concatenate(list(body.muscle_groups.values()))
    assert sorted(indices) == list(range(body.model.nu))
    for group, members in body.muscle_groups.items():
        if group.endswith("_right"):
            assert len(members) == len(body.muscle_groups[group.replace("_right", "_left")])


@full_bodies
@pytest.mark.parametrize(
    ("region", "muscle"),
    [("leg", "soleus"), ("trunk", "rect_abd"), ("trunk", "EO"), ("arm", "BIClong"), ("arm", "TRIlat")],
)
def test_muscles_are_in_the_region_where_they_act(body_named: BodyNamed, name: str, region: str, muscle: str) -> None:
    body = body_named(name)
    found = [i for i, n in enumerate(body.muscle_names) if n.startswith(muscle)]
    assert found
    assert set(found) <= set(body.muscle_groups[f"{region}_right"]) | set(body.muscle_groups[f"{region}_left"])


@every_body
def test_strength_scales_isometric_force_exactly_and_leaves_the_hash(body_named: BodyNamed, name: str) -> None:
    body, strong = body_named(name), load_body(name, strength=2.0, timestep=0.001)
    forces = []
    for b in (body, strong):
        data = standing(b)
        data.act[:] = 1.0
        mujoco.mj_forward(b.model, data)
        forces.append(data.actuator_force.copy())
    assert np.array_equal(forces[1], 2.0 * forces[0])
    assert np.abs(forces[0]).max() > 100.0
    assert strong.hash == body.hash
    assert strong.model.opt.timestep == 0.001


@every_body
def test_the_soles_touch_the_floor_in_the_reference_pose(body_named: BodyNamed, name: str) -> None:
    body = body_named(name)
    data, floor = standing(body), body.model.geom("floor").id
    feet = [body.segments[f"{segment}_{side}"] for segment in ("foot", "toes") for side in "rl"]
    gaps = [
        mujoco.mj_geomDistance(body.model, data, geom, floor, 1.0, None)
        for geom in range(body.model.ngeom)
        if body.model.geom_bodyid[geom] in feet and body.model.geom_contype[geom]
    ]
    assert 0.0 <= min(gaps) < 1e-3
    assert data.xpos[body.segments["head"], 2] > data.xpos[body.segments["pelvis"], 2] + 0.4


@every_body
def test_a_second_without_excitation_stays_finite(body_named: BodyNamed, name: str) -> None:
    body = body_named(name)
    data = standing(body)
    fastest = 0.0
    for _ in range(500):
        mujoco.mj_step(body.model, data)
        fastest = max(fastest, np.abs(data.qvel).max())
    assert np.isfinite(data.qpos).all()
    assert fastest < 60.0
    assert sum(int(warning.number) for warning in data.warning) == 0
    assert np.abs(body.complete(data.qpos.copy()) - data.qpos).max() < 0.02


@every_body
def test_optimal_fiber_lengths_are_lengths(body_named: BodyNamed, name: str) -> None:
    length = body_named(name).optimal_fiber_length
    assert np.isfinite(length).all()
    assert (length > 0.005).all()
    assert (length < 2.0).all()


@full_bodies
def test_forearms_and_hands_meet_the_floor(body_named: BodyNamed, name: str) -> None:
    body = body_named(name)
    model = body.model
    for side in "rl":
        for segment in ("upper_arm", "forearm", "hand"):
            limb = body.segments[f"{segment}_{side}"]
            below = {limb}
            for b in range(limb + 1, model.nbody):
                if model.body_parentid[b] in below:
                    below.add(b)
            geoms = [g for g in range(model.ngeom) if model.geom_bodyid[g] in below]
            assert any(meets_floor(model, g) for g in geoms), f"{segment}_{side}"


def test_added_shapes_of_ms_human_700_meet_nothing_but_the_floor(ms_human: Body) -> None:
    model = ms_human.model
    types, affinities, floor = model.geom_contype, model.geom_conaffinity, model.geom("floor").id
    added = [
        g
        for g in range(model.ngeom)
        if model.geom(g).name.startswith(("thorax_skin", "upper_arm_skin", "forearm_skin", "hand_skin"))
    ]
    assert len(added) == 7
    for geom in added:
        partners = np.flatnonzero((types[geom] & affinities) | (types & affinities[geom]))
        assert partners.tolist() == [floor]


def test_trunk_of_myo_fullbody_turns_as_lightly_as_a_human_one(fullbody: Body) -> None:
    model, data = fullbody.model, standing(fullbody)
    inertia = np.zeros((model.nv, model.nv))
    mujoco.mj_fullM(model, data, inertia)
    reduced = fullbody.coordinate_map(data.qpos)
    reduced = reduced.T @ inertia @ reduced
    axial = fullbody.joint_names.index("axial_rotation")
    assert reduced[6 + axial, 6 + axial] < 1.0


def test_free_fingers_add_forty_joints_and_locked_ones_leave_their_muscles_at_the_wrist(fullbody: Body) -> None:
    free = load_body("myo-fullbody", free_fingers=True)
    assert len(free.joint_ids) == len(fullbody.joint_ids) + 40
    assert free.muscle_names == fullbody.muscle_names
    assert free.hash != fullbody.hash
    data, locked = standing(fullbody), fullbody.model
    moment = np.zeros((locked.nu, locked.nv))
    mujoco.mju_sparse2dense(moment, data.actuator_moment, data.moment_rownnz, data.moment_rowadr, data.moment_colind)
    wrist = fullbody.dof_index[fullbody.joint_roles["wrist_r"]]
    assert np.abs(moment[fullbody.muscle_names.index("FDS2"), wrist]).max() > 0.005


def test_root_of_ms_human_700_is_free_and_upright(ms_human: Body) -> None:
    model = ms_human.model
    assert model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
    assert (model.nkey, (model.jnt_type == mujoco.mjtJoint.mjJNT_FREE).sum()) == (0, 1)
    up = standing(ms_human).xmat[ms_human.segments["pelvis"]].reshape(3, 3)[:, 1]
    assert np.allclose(up, [0, 0, 1], atol=1e-6)


@every_body
def test_anatomical_axes_of_the_root_are_forward_left_and_up(body_named: BodyNamed, name: str) -> None:
    body = body_named(name)
    data = standing(body)
    axes = np.zeros(9)
    orientation = np.zeros(4)
    mujoco.mju_mulQuat(orientation, data.qpos[3:7], body.root_frame)
    mujoco.mju_quat2Mat(axes, orientation)
    forward, left, up = axes.reshape(3, 3).T
    toes, heel = (data.xpos[body.segments[segment]] for segment in ("toes_r", "foot_r"))
    hips = data.xpos[body.segments["thigh_l"]] - data.xpos[body.segments["thigh_r"]]
    assert forward @ (toes - heel) > 0.1
    assert left @ hips == pytest.approx(np.linalg.norm(hips), rel=0.01)
    assert up == pytest.approx([0, 0, 1], abs=0.01)


def test_mass_is_that_of_the_originals(body_named: BodyNamed) -> None:
    assert body_named("myo-fullbody").mass == pytest.approx(84.265, abs=0.01)
    assert body_named("ms-human-700").mass == pytest.approx(60.22, abs=0.01)


def test_missing_model_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MENAGERIE_ROOT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="MENAGERIE_ROOT"):
        load_body("ms-human-700")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "myo-arm"}, "choose one of 'myo-fullbody'"),
        ({"name": "myo-legs", "free_fingers": True}, "its options: none"),
        ({"name": "myo-fullbody", "fingers": True}, "free_fingers"),
        ({"name": "myo-legs", "strength": 0.0}, "strength"),
        ({"name": "myo-legs", "timestep": 0.5}, "timestep"),
    ],
)
def test_wrong_arguments_name_the_choices(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_body(**arguments)  # type: ignore[arg-type]
