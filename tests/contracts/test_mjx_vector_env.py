"""What the vector environment on MJX promises beside the contracts of all vector environments."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

pytest.importorskip("mujoco.mjx")

import jax
import jax.numpy as jnp
from ms_envs.envs.mjx_vector_env import MjxTrackingVectorEnv

pytestmark = pytest.mark.slow

COMMON = {"body": "myo-legs", "control_rate": 500.0}
"""Control steps of one physics step, because MJX is slow on the CPU."""


@pytest.fixture
def make():
    opened: list[MjxTrackingVectorEnv] = []

    def build(num_envs: int = 3, motion: str = "Walk", **options) -> MjxTrackingVectorEnv:
        opened.append(
            gymnasium.make_vec(f"ms_envs:MSEmu/{motion}-v0", num_envs=num_envs, engine="mjx", **COMMON | options)
        )
        return opened[-1]

    yield build
    for env in opened:
        env.close()


def sampled(env, steps: int) -> list[np.ndarray]:
    env.action_space.seed(0)
    return [env.action_space.sample() for _ in range(steps)]


def test_returns_jax_arrays_that_fit_its_spaces(make) -> None:
    env = make()
    assert env.metadata["engine"] == "mjx"
    observations, info = env.reset(seed=0)
    for action in sampled(env, 3):
        assert env.observation_space.contains(np.asarray(observations))
        observations, rewards, terminated, truncated, info = env.step(action)
        arrays = (observations, rewards, terminated, truncated)
        assert all(isinstance(values, jax.Array) for values in (*arrays, *jax.tree.leaves(info)))
        assert rewards.shape == terminated.shape == truncated.shape == (3,)
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float32, np.bool_, np.bool_)


def test_environment_i_is_a_vector_of_one_with_seed_plus_i(make) -> None:
    options = {"horizon": 0.01, "reset_noise": 0.02, "autoreset_mode": "SameStep"}
    together, alone = make(3, **options), make(1, **options)
    actions = sampled(together, 8)
    first, _ = together.reset(seed=40)
    observations = [together.step(action)[0] for action in actions]
    second, _ = alone.reset(seed=42)
    np.testing.assert_allclose(second[0], first[2], atol=1e-5)
    for action, expected in zip(actions, observations, strict=True):
        np.testing.assert_allclose(alone.step(action[2:])[0][0], expected[2], atol=1e-3)


def test_gymnasium_turns_it_into_torch_and_numpy(make) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("array_api_compat")  # Gymnasium's own need
    from gymnasium.wrappers.vector import JaxToNumpy, JaxToTorch

    env = JaxToTorch(make())
    observations, info = env.reset(seed=0)
    assert isinstance(info["tracking_error"], torch.Tensor)
    result = env.step(torch.zeros(env.action_space.shape))
    assert all(isinstance(values, torch.Tensor) for values in result[:4])
    assert observations.shape == result[0].shape
    assert all(isinstance(values, np.ndarray) for values in JaxToNumpy(make()).step(np.zeros((3, 80)))[:4])


def test_compiles_once_for_all_motions_and_resets(make) -> None:
    compiled: list[str] = []

    def use(motion: str, **options) -> None:
        env = make(3, motion, **options)
        env.reset(seed=0)
        env.reset(seed=[1, None, 2], options={"phase": 0.3, "reset_mask": np.array([True, True, False])})
        for action in sampled(env, 3):
            env.step(action)
        env.reset()

    use("Walk")
    jax.monitoring.register_event_duration_secs_listener(
        lambda name, duration, **_: compiled.append(name) if "backend_compile" in name else None
    )
    use("Jump", horizon=0.1, reset_noise=0.01, reward_terms={"effort": -1.0}, root_termination=2.0)
    assert not compiled
    jax.jit(lambda x: x + 3)(jnp.ones(7))
    assert compiled  # the counter counts


def test_scanning_over_the_core_is_stepping_the_environment(make) -> None:
    env = make()
    actions = sampled(env, 4)
    env.reset(seed=5)
    stepped = [env.step(action) for action in actions]
    state, _ = env.core.reset(jax.vmap(jax.random.key)(5 + jnp.arange(3)))
    _, scanned = jax.lax.scan(env.core.step, state, jnp.asarray(np.stack(actions)))
    np.testing.assert_allclose(scanned.observation, np.stack([result[0] for result in stepped]), atol=1e-4)
    np.testing.assert_allclose(scanned.reward, np.stack([result[1] for result in stepped]), atol=1e-5)


def test_divergence_ends_one_episode_and_leaves_no_bad_numbers(make) -> None:
    env, sound = make(), make()
    for each in (env, sound):
        each.reset(seed=0)
    action = np.full(env.action_space.shape, 0.1, dtype=np.float32)
    for step in range(4):
        broken = action.copy()
        broken[1] = np.nan if step < 2 else 0.1
        observations, rewards, terminated, _, info = jax.device_get(env.step(broken))
        np.testing.assert_array_equal(observations[[0, 2]], jax.device_get(sound.step(action)[0])[[0, 2]])
        assert np.isfinite(observations).all()
        assert np.isfinite(rewards).all()
        assert np.isfinite(info["tracking_error"]).all()
        if step == 0:
            assert terminated.tolist() == info["diverged"].tolist() == [False, True, False]
            assert rewards[1] == 0
    assert not info["diverged"].any()


def test_lack_of_room_is_reported(make) -> None:
    env = make(buffers={"contacts": 1, "constraints": 8})
    env.reset(seed=0)
    *_, info = env.step(sampled(env, 1)[0])
    assert info["buffer_overflow"].any()
    with pytest.warns(UserWarning, match="no room.*'contacts': 2, 'constraints': 16"):
        env.reset()


def test_wider_termination_needs_no_new_environment(make) -> None:
    env = make(root_termination=1e-8)
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape, dtype=np.float32)
    assert env.step(action)[2].any()
    env.set_termination_scale(1e8)
    env.reset(seed=0)
    assert not env.step(action)[2].any()
    with pytest.raises(ValueError, match="scale"):
        env.set_termination_scale(0.0)


@pytest.mark.parametrize("phase", [-0.1, 1.0, np.nan])
def test_phase_outside_the_motion_is_refused(make, phase: float) -> None:
    with pytest.raises(ValueError, match=r"phase must be in \[0, 1\)"):
        make().reset(options={"phase": phase})


def test_starts_where_it_is_told(make) -> None:
    phases = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(make().reset(options={"phase": phases})[1]["phase"], phases, atol=1e-6)
