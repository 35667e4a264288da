"""The vector environment as Gymnasium defines one, compared with Gymnasium's own over single environments."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics
from ms_envs.task.errors import METRIC_UNITS

SHORT = {"horizon": 0.1}
"""Episodes of five steps."""


def sampled_actions(env: VectorEnv, steps: int, seed: int = 0) -> list[np.ndarray]:
    env.action_space.seed(seed)
    return [env.action_space.sample() for _ in range(steps)]


def assert_equivalent(ours, theirs) -> None:
    """Same observations, rewards, ends and, for every environment, the same info."""
    *values, info = ours
    *other_values, other_info = theirs
    for left, right in zip(values, other_values, strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype
    for one, other in zip(as_list(info, len(values[0])), as_list(other_info, len(values[0])), strict=True):
        assert data_equivalence(one, other), (one.keys(), other.keys())


def as_list(info: dict, num_envs: int) -> list[dict]:
    """Info of each environment, by the masks of a vector info."""
    infos: list[dict] = [{} for _ in range(num_envs)]
    for name, values in info.items():
        if name.startswith("_"):
            continue
        items = as_list(values, num_envs) if isinstance(values, dict) else list(values)
        for env in np.flatnonzero(info.get(f"_{name}", np.ones(num_envs, dtype=bool))):
            item = items[env]
            infos[env][name] = item.item() if isinstance(item, np.generic) else item
    return infos


@pytest.fixture
def pair(make, make_vec):
    """Our vector environment and Gymnasium's over three of our single ones."""
    opened: list[VectorEnv] = []

    def build(mode: AutoresetMode, **options) -> tuple[VectorEnv, VectorEnv]:
        ours = make_vec(3, autoreset_mode=mode, **options)
        theirs = SyncVectorEnv([lambda: make(disable_env_checker=True, **options)] * 3, autoreset_mode=mode)
        opened.extend((ours, theirs))
        return ours, theirs

    yield build
    for env in opened:
        env.close()


@pytest.fixture
def env(make_vec):
    env = make_vec(3, **SHORT)
    yield env
    env.close()


@pytest.mark.every_pair
def test_spaces_are_batches_of_the_single_ones_and_contain_outputs(make, env) -> None:
    single = make()
    assert env.single_observation_space == single.observation_space
    assert env.single_action_space == single.action_space
    assert env.observation_space == batch_space(single.observation_space, 3)
    assert env.action_space == batch_space(single.action_space, 3)
    observations, _ = env.reset(seed=0)
    for actions in sampled_actions(env, 12):
        assert env.observation_space.contains(observations)
        observations, rewards, terminated, truncated, _ = env.step(actions)
        assert rewards.shape == terminated.shape == truncated.shape == (3,)
        assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
    single.close()


@pytest.mark.every_pair
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_behaves_as_gymnasiums_vector_of_single_environments(pair, mode: AutoresetMode) -> None:
    ours, theirs = pair(mode, reset_noise=0.02, **SHORT)
    assert_equivalent(ours.reset(seed=11), theirs.reset(seed=11))
    ended = np.zeros(3, dtype=bool)
    for actions in sampled_actions(ours, 16):
        result = ours.step(actions)
        assert_equivalent(result, theirs.step(actions))
        ended |= result[2] | result[3]
    assert ended.all()


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_remembered_actions_do_not_outlive_their_episode(pair, mode: AutoresetMode) -> None:
    ours, theirs = pair(mode, action_smoothing=0.05, objectives=("power", "action_rate"), **SHORT)
    assert_equivalent(ours.reset(seed=11), theirs.reset(seed=11))
    for actions in sampled_actions(ours, 12):
        assert_equivalent(ours.step(actions), theirs.step(actions))


def test_resets_by_mask_as_gymnasium_does(pair) -> None:
    ours, theirs = pair(AutoresetMode.DISABLED, **SHORT)
    assert_equivalent(ours.reset(seed=[5, 6, 7]), theirs.reset(seed=[5, 6, 7]))
    for actions in sampled_actions(ours, 12):
        result = ours.step(actions)
        assert_equivalent(result, theirs.step(actions))
        mask = result[2] | result[3]
        if mask.any():
            assert_equivalent(
                ours.reset(seed=[1, 2, 3], options={"reset_mask": mask}),
                theirs.reset(seed=[1, 2, 3], options={"reset_mask": mask.copy()}),
            )


@pytest.mark.every_engine
def test_reset_by_mask_leaves_the_others_alone(env) -> None:
    before, _ = env.reset(seed=0)
    after, info = env.reset(seed=9, options={"reset_mask": np.array([False, True, False])})
    np.testing.assert_array_equal(before[[0, 2]], after[[0, 2]])
    assert (before[1] != after[1]).any()
    assert info["_tracking_error"].tolist() == [False, True, False]


@pytest.mark.every_engine
@pytest.mark.parametrize("mask", [[True], [1, 0, 1], [False, False, False], True])
def test_unusable_mask_is_refused(env, mask) -> None:
    env.reset(seed=0)
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(options={"reset_mask": np.array(mask)})


@pytest.mark.every_engine
def test_next_step_mode_returns_the_last_observation_and_then_a_reset(env) -> None:
    env.reset(seed=0)
    actions = sampled_actions(env, 6)
    for action in actions[:5]:
        last, _, terminated, truncated, info = env.step(action)
    ended = terminated | truncated
    assert ended.any()
    assert "final_obs" not in info
    first, rewards, terminated, truncated, info = env.step(actions[5])
    assert not (terminated | truncated)[ended].any()
    assert not rewards[ended].any()
    np.testing.assert_allclose(info["tracking_error"][ended], 0, atol=2e-2)
    assert (last[ended] != first[ended]).any(axis=1).all()


@pytest.mark.every_engine
def test_same_step_mode_returns_the_first_observation_and_keeps_the_last(make_vec) -> None:
    env = make_vec(3, autoreset_mode="SameStep", **SHORT)
    env.reset(seed=0)
    for action in sampled_actions(env, 5):
        observations, _, terminated, truncated, info = env.step(action)
    ended = terminated | truncated
    assert ended.any()
    np.testing.assert_array_equal(info["_final_obs"], ended)
    np.testing.assert_array_equal(info["_final_info"], ended)
    np.testing.assert_allclose(info["tracking_error"][ended], 0, atol=2e-2)
    for i in np.flatnonzero(ended):
        assert env.single_observation_space.contains(info["final_obs"][i])
        assert (info["final_obs"][i] != observations[i]).any()
        assert np.abs(info["final_info"]["tracking_error"][i]).max() > 1e-3
    env.close()


@pytest.mark.every_engine
def test_disabled_mode_refuses_to_step_what_has_ended(make_vec) -> None:
    env = make_vec(2, autoreset_mode=AutoresetMode.DISABLED, **SHORT)
    env.reset(seed=0)
    with pytest.raises(gymnasium.error.ResetNeeded):
        for action in sampled_actions(env, 6):
            env.step(action)
    env.close()


@pytest.mark.every_pair
def test_environment_i_is_the_single_environment_with_seed_plus_i(make, env) -> None:
    observations, _ = env.reset(seed=100)
    single = make()
    for i in range(3):
        np.testing.assert_array_equal(single.reset(seed=100 + i)[0], observations[i])
    single.close()
    assert len({row.tobytes() for row in observations}) == 3


@pytest.mark.every_engine
def test_seeds_can_be_given_one_by_one(env) -> None:
    together, _ = env.reset(seed=100)
    listed, _ = env.reset(seed=[100, 101, 102])
    np.testing.assert_array_equal(listed, together)
    env.reset(seed=[100, None, 102])
    with pytest.raises(ValueError, match="2 seeds were given for 3"):
        env.reset(seed=[1, 2])


@pytest.mark.every_engine
def test_unseeded_resets_differ(env) -> None:
    first, second = env.reset()[0], env.reset()[0]
    assert (first != second).any()


def test_number_of_threads_does_not_matter(suite_env) -> None:
    name, body = suite_env
    results = []
    for threads in (1, 3):
        env = gymnasium.make_vec(name, num_envs=4, body=body, threads=threads, **SHORT)
        env.reset(seed=0)
        results.append([env.step(action)[0] for action in sampled_actions(env, 8)])
        env.close()
    np.testing.assert_array_equal(*results)


@pytest.mark.every_engine
def test_returned_arrays_are_never_reused(env) -> None:
    observations, info = env.reset(seed=0)
    kept, error = observations.copy(), info["tracking_error"].copy()
    for action in sampled_actions(env, 3):
        env.step(action)
    np.testing.assert_array_equal(observations, kept)
    np.testing.assert_array_equal(info["tracking_error"], error)


@pytest.mark.every_engine
def test_every_info_has_its_mask(env) -> None:
    def check(info: dict) -> None:
        for name in info:
            if not name.startswith("_"):
                mask = info[f"_{name}"]
                assert (mask.shape, mask.dtype) == ((3,), np.bool_), name
                if isinstance(info[name], dict):
                    check(info[name])

    check(env.reset(seed=0)[1])
    for action in sampled_actions(env, 7):
        check(env.step(action)[4])


@pytest.mark.every_engine
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_gymnasium_can_record_episode_statistics(make_vec, mode: AutoresetMode) -> None:
    env = RecordEpisodeStatistics(make_vec(3, autoreset_mode=mode, **SHORT))
    env.reset(seed=0)
    for action in sampled_actions(env, 14):
        env.step(action)
    assert len(env.length_queue) >= 6
    assert max(env.length_queue) == 5
    env.close()


@pytest.mark.every_engine
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_gymnasium_can_list_infos(make_vec, mode: AutoresetMode) -> None:
    env = DictInfoToList(make_vec(3, autoreset_mode=mode, **SHORT))
    size = env.unwrapped.error_slices["key_position"].stop
    _, infos = env.reset(seed=0)
    assert [info["tracking_error"].shape for info in infos] == [(size,)] * 3
    for action in sampled_actions(env, 7):
        *_, infos = env.step(action)
        assert [set(info["metrics"]) == set(METRIC_UNITS) for info in infos] == [True] * 3
    env.close()


@pytest.mark.parametrize("mode", ["sync", "async", "vector_entry_point"])
def test_gymnasium_makes_vectors_in_every_way(suite_env, mode: str) -> None:
    name, body = suite_env
    env = gymnasium.make_vec(name, num_envs=2, vectorization_mode=mode, body=body)
    observations, _ = env.reset(seed=0)
    assert env.observation_space.contains(observations)
    env.step(env.action_space.sample())
    env.close()


def test_works_in_processes(make, make_vec) -> None:
    theirs = AsyncVectorEnv([lambda: make(disable_env_checker=True, **SHORT)] * 2)
    ours = make_vec(2, **SHORT)
    assert_equivalent(ours.reset(seed=3), theirs.reset(seed=3))
    for actions in sampled_actions(ours, 7):
        assert_equivalent(ours.step(actions), theirs.step(actions))
    theirs.close()
    ours.close()


@pytest.mark.every_engine
def test_close_can_be_called_twice(env) -> None:
    env.close()
    env.close()
