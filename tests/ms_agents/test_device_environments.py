from __future__ import annotations

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
import torch
from ms_agents import AggregatedPPO, QFlex
from ms_agents.ppo.vector import GymnasiumVecEnv, jax_array, shared_tensor

pytest.importorskip("jax")

import jax
from jax_point_mass_env import JaxPointMassVectorEnv


@pytest.fixture
def host_transfers(monkeypatch):
    """How, and how many elements at a time, tensors and JAX arrays went to the host."""
    seen: list[tuple[str, int]] = []

    def watch(kind, *names):
        for name in names:
            monkeypatch.setattr(kind, name, watched(name, getattr(kind, name)))

    def watched(name, original):
        def function(given, *args, **kwargs):
            if isinstance(given, torch.Tensor | jax.Array):
                seen.append((name, int(np.prod(given.shape))))
            return original(given, *args, **kwargs)

        return function

    scalars = ("tolist", "item", "__float__", "__int__", "__bool__")
    watch(torch.Tensor, "cpu", "numpy", "__array__", *scalars)
    watch(type(jax.numpy.zeros(1)), "__array__", *scalars)
    watch(np, "asarray", "array")
    return seen


def step_transfers(count: int) -> list[tuple[str, int]]:
    """The one transfer of a step."""
    return [("cpu", count), ("numpy", count)]


def test_arrays_share_memory_both_ways():
    array, tensor = jax.numpy.arange(6.0).reshape(2, 3), torch.ones(2, 3)
    assert shared_tensor(array).data_ptr() == array.unsafe_buffer_pointer()
    assert jax_array(tensor).unsafe_buffer_pointer() == tensor.data_ptr()


def test_a_step_sends_three_numbers_per_environment_to_the_host(host_transfers):
    env = GymnasiumVecEnv(JaxPointMassVectorEnv(8, horizon=0.2))
    env.seed(0)
    env.reset()
    env.step(torch.zeros(8, 2))  # compiles
    finished = 0
    for _ in range(7):
        del host_transfers[:]
        observation, reward, done, _ = env.step(torch.zeros(8, 2))
        assert host_transfers == step_transfers(3 * 8)
        finished += done.sum()
    assert finished == 2 * 8
    kept = (observation, reward, env.tracking_error, env.done, env.truncated, env.metrics["root_position_error"])
    assert all(isinstance(values, torch.Tensor) for values in kept)


def transfers_of_a_rollout(model: AggregatedPPO, seen: list[tuple[str, int]]) -> list[tuple[str, int]]:
    _, callback = model._setup_learn(0)
    model.env.step(torch.zeros(model.n_envs, *model.action_space.shape))  # compiles
    del seen[:]
    model.collect_rollouts(model.env, callback, model.rollout_buffer, model.n_steps)
    return list(seen)


def test_a_rollout_sends_nothing_else_but_single_numbers_at_its_end(host_transfers, small):
    single = []
    for steps in (16, 48):
        constants = small.changed({"rollout_steps": steps})
        model = AggregatedPPO(env=JaxPointMassVectorEnv(8, horizon=0.4), hyperparameters=constants, seed=0)
        seen = transfers_of_a_rollout(model, host_transfers)
        of_steps, single_numbers = seen[: 2 * steps], seen[2 * steps :]
        assert of_steps == step_transfers(3 * 8) * steps
        assert {size for _, size in single_numbers} == {1}
        single.append(len(single_numbers))
    assert single[0] == single[1]


@pytest.mark.parametrize("aggregator", ["adversarial", "hand-tuned"])
def test_learning_is_the_same_as_from_numpy(small, aggregator):
    pytest.importorskip("array_api_compat", reason="Gymnasium's JaxToNumpy needs it")
    from gymnasium.wrappers.vector import JaxToNumpy

    learnt = []
    for env in (JaxPointMassVectorEnv(8, horizon=0.4), JaxToNumpy(JaxPointMassVectorEnv(8, horizon=0.4))):
        model = AggregatedPPO(env=env, hyperparameters=small, aggregator=aggregator, seed=0)
        start = model.policy.parameters_to_vector()
        model.learn(3 * 128)
        learnt.append((model, model.policy.parameters_to_vector()))
    (on_device, weights), (on_host, expected) = learnt
    assert isinstance(on_device._last_obs, torch.Tensor) and isinstance(on_host._last_obs, np.ndarray)
    assert np.abs(expected - start).max() > 1e-3
    assert np.allclose(weights, expected, atol=1e-5)
    lengths = [[episode["l"] for episode in model.ep_info_buffer] for model, _ in learnt]
    returns = [[episode["r"] for episode in model.ep_info_buffer] for model, _ in learnt]
    assert lengths[0] == lengths[1] and len(lengths[0]) > 8
    assert np.allclose(*returns, rtol=1e-4)


def test_a_diverged_body_leaves_no_error(small):
    env = GymnasiumVecEnv(JaxPointMassVectorEnv(4))
    env.reset()
    env.env.state = env.env.state._replace(mass=env.env.state.mass.at[1].set(1e3))
    env.step(torch.zeros(4, 2))
    assert env.tracking_error.isnan().all(1).tolist() == [False, True, False, False]


def test_a_model_from_a_device_is_saved_and_predicts(small, tmp_path):
    model = AggregatedPPO(env=JaxPointMassVectorEnv(8), hyperparameters=small, seed=0)
    model.learn(128)
    model.save(tmp_path / "model.zip")
    loaded = AggregatedPPO.load(tmp_path / "model.zip", JaxPointMassVectorEnv(8))
    loaded.learn(128, reset_num_timesteps=False)
    assert loaded.num_timesteps == 256


def test_qflex_asks_for_numpy():
    with pytest.raises(ValueError, match="engine='cpu'"):
        QFlex(env=JaxPointMassVectorEnv(2), aggregator="hand-tuned").learn(10)


def test_jax_leaves_memory_of_the_gpu_to_torch():
    code = "import ms_agents, os; print(os.environ['XLA_PYTHON_CLIENT_PREALLOCATE'])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "false"


@pytest.mark.slow
def test_legs_on_mjx_learn_without_leaving_the_device(host_transfers, small):
    pytest.importorskip("mujoco.mjx")
    env = gymnasium.make_vec(
        "ms_envs:MSEmu/Walk-v0",
        num_envs=4,
        engine="mjx",
        body="myo-legs",
        control="posture",
        autoreset_mode="SameStep",
    )
    quick = small.changed({"environments": 4, "rollout_steps": 8, "minibatch": 16})
    model = AggregatedPPO(env=env, hyperparameters=quick, seed=0)
    assert transfers_of_a_rollout(model, host_transfers)[:16] == step_transfers(3 * 4) * 8
    model.train()
    assert all(torch.isfinite(weights).all() for weights in model.policy.state_dict().values())
    assert float(model.rollout_buffer.errors.abs().mean()) > 0
    env.close()
