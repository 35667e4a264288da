from __future__ import annotations

import mujoco
import numpy as np
import pytest
from ms_envs.inverse import opensim, read_storage, static_optimization


@pytest.fixture(scope="module")
def solved(legs, squat, make_clip):
    clip = make_clip(legs, squat.qpos[20:26], squat.fps, loop=False)
    return clip, static_optimization(legs, clip)


def turned(legs, *steps):
    """Postures that faced x before the pelvis was turned about world axes, by rad, one turn after the other."""
    qpos = np.repeat(legs.model.qpos0[None], len(steps), axis=0)
    qpos[:, 3:7] = legs.root_frame * [1, -1, -1, -1]
    for row, turns in zip(qpos, steps, strict=True):
        for axis, angle in turns:
            turn, turned = np.zeros(4), np.zeros(4)
            mujoco.mju_axisAngle2Quat(turn, np.array(axis, dtype=float), angle)
            mujoco.mju_mulQuat(turned, turn, row[3:7])
            row[3:7] = turned
    return qpos


def test_leaning_back_is_tilt_leaning_right_is_list_and_turning_left_is_rotation(legs):
    x, y, z = np.eye(3)
    # MuJoCo's y is to the left, so leaning back is a negative turn about it.
    qpos = turned(legs, [], [(y, -0.2)], [(x, 0.3)], [(z, 0.4)])
    angles = opensim.pelvis_angles(opensim.pelvis_orientation(legs, qpos))
    np.testing.assert_allclose(angles, [[0, 0, 0], [0.2, 0, 0], [0, 0.3, 0], [0, 0, 0.4]], atol=1e-6)


def test_angles_follow_a_full_turn_about_every_axis_without_jumps(legs):
    for axis in np.eye(3):
        qpos = turned(legs, *([(axis, turn)] for turn in np.linspace(0, 2 * np.pi, 42)))
        orientation = opensim.pelvis_orientation(legs, qpos)
        angles = opensim.pelvis_angles(orientation)
        assert np.abs(np.diff(angles, axis=0)).max() < 0.2
        assert np.abs(angles[-1]).max() == pytest.approx(2 * np.pi, abs=1e-6)


def test_a_moment_has_the_same_power_about_the_axes_of_the_angles(legs):
    step = 1e-6
    qpos = turned(legs, [((0.6, 0, 0.8), 0.7)])
    velocity = np.zeros(legs.model.nv)
    velocity[3:6] = [0.4, -0.9, 0.6]
    moved = qpos[0].copy()
    mujoco.mj_integratePos(legs.model, moved, velocity, step)
    orientation = opensim.pelvis_orientation(legs, np.stack([qpos[0], moved]))
    angles = opensim.pelvis_angles(orientation)
    spin = orientation[0].T @ (orientation[1] - orientation[0]) / step
    angular_velocity = np.array([spin[2, 1], spin[0, 2], spin[1, 0]])
    moment = np.array([3.0, -1.0, 2.0])
    generalised = opensim.pelvis_axes(angles)[0] @ moment
    assert generalised @ (angles[1] - angles[0]) / step == pytest.approx(moment @ angular_velocity, rel=1e-4)


def test_the_files_hold_the_solution(legs, solved, tmp_path):
    clip, solution = solved
    opensim.write_opensim(tmp_path, "squat", legs, clip, solution)
    motion = read_storage(tmp_path / "squat.mot")
    knee = motion.labels.index("knee_angle_r")
    np.testing.assert_allclose(
        np.radians(motion.values[:, knee]), clip.qpos[:, legs.model.joint("knee_angle_r").qposadr[0]]
    )
    slide = motion.labels.index("knee_angle_translation1_r")
    address = legs.model.joint("knee_angle_translation1_r").qposadr[0]
    np.testing.assert_allclose(motion.values[:, slide], clip.qpos[:, address], atol=1e-9)
    np.testing.assert_allclose(motion.values[:, 4], clip.qpos[:, 2], rtol=1e-9)
    activation = read_storage(tmp_path / "squat_activations.sto")
    assert activation.labels == legs.muscle_names
    np.testing.assert_allclose(activation.values, solution.activation, atol=1e-9)
    moment = read_storage(tmp_path / "squat_moments.sto")
    knee = moment.labels.index("knee_angle_r_moment")
    np.testing.assert_allclose(
        moment.values[:, knee], solution.joint_moment[:, 6 + legs.joint_names.index("knee_angle_r")], atol=1e-6
    )


def test_ground_reactions_add_up_to_the_floor_and_act_at_the_feet(legs, solved):
    clip, solution = solved
    table = opensim.ground_reactions(legs, clip, solution)
    assert {label.rsplit("_", 1)[0] for label in table.labels} == {
        f"ground_{kind}_{part}_{side}" for kind in ("force", "torque") for part in ("calcn", "toes") for side in "rl"
    }
    force, point, torque = np.moveaxis(table.values.reshape(len(clip.qpos), -1, 3, 3), 2, 0)
    wrench = np.concatenate([force, np.cross(point, force) + torque], axis=-1).sum(axis=1)
    expected = solution.floor_wrench.sum(axis=1).reshape(-1, 2, 3) @ opensim.GROUND.T
    np.testing.assert_allclose(wrench, expected.reshape(-1, 6), atol=1e-9)
    assert (force[..., 1] >= 0).all() and force[..., 1].sum(axis=1) == pytest.approx(9.81 * legs.mass, rel=0.1)
    np.testing.assert_allclose(point[..., 1], 0)
    np.testing.assert_allclose(torque[..., [0, 2]][force[..., 1] > opensim.LOADED], 0, atol=1e-9)
    foot = clip.key_position[:, list(legs.key_bodies).index("foot_r")] @ opensim.GROUND.T
    assert np.linalg.norm((point[:, 0] - foot)[:, [0, 2]], axis=1).max() < 0.25
