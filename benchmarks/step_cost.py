"""What a control step of an environment costs beside the physics in it; runs where only the environment is installed.

``python step_cost.py PACKAGE ID NUM_ENVS STEPS [ARGUMENTS]`` prints a JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from importlib.metadata import version
from typing import Any

import gymnasium
import mujoco
import numpy as np

STATE = mujoco.mjtState.mjSTATE_INTEGRATION
EXCITATION = 0.2
"""Largest action; with more, bodies jump off the floor."""


def measure(package: str, env_id: str, num_envs: int, steps: int, arguments: dict[str, Any]) -> dict[str, Any]:
    """Step an environment with random actions, and after each step MuJoCo alone through the same physics.

    Args:
        package: What to import, so that the id is known.
        env_id: One of ours, or one whose ``unwrapped`` has ``model``, ``data`` and ``frame_skip``.
        num_envs: 1 for a single environment, more for a vector environment of ours.
        steps: Control steps.
        arguments: Of the environment.

    Returns:
        Milliseconds of processor time per control step of one body, of the environment and of the physics in it, with
        what they were measured on.

    Raises:
        RuntimeError: If MuJoCo alone does not end where the environment does.
    """
    import_module(package)
    env: Any
    if num_envs == 1:
        env = gymnasium.make(env_id, disable_env_checker=True, **arguments)
    else:
        env = gymnasium.make_vec(env_id, num_envs=num_envs, autoreset_mode="SameStep", **arguments)
    own = env.unwrapped
    ours = hasattr(own, "body")
    model, substeps = (own.body.model, own.options.substeps) if ours else (own.model, own.frame_skip)
    bare, after, generator = mujoco.MjData(model), mujoco.MjData(model), np.random.default_rng(0)
    env.reset(seed=0)
    spent = {"environment": 0.0, "physics": 0.0}
    for _ in range(steps):
        action = generator.uniform(0, EXCITATION, env.action_space.shape).astype(np.float32)
        states = _states(own, model)
        start = time.process_time()
        _, _, terminated, truncated, _ = env.step(action)
        spent["environment"] += time.process_time() - start
        ended = np.atleast_1d(terminated) | np.atleast_1d(truncated)
        for state, reached, over in zip(states, _states(own, model), ended, strict=True):
            mujoco.mj_setState(model, bare, state, STATE)
            mujoco.mj_setState(model, after, reached, STATE)
            if not over:
                bare.ctrl[:] = after.ctrl
            start = time.process_time()
            mujoco.mj_step(model, bare, substeps)
            spent["physics"] += time.process_time() - start
            if not over and not np.allclose(bare.qpos, after.qpos, atol=1e-9):
                raise RuntimeError("MuJoCo alone ended elsewhere than the environment: not the same physics")
        if num_envs == 1 and ended[0]:
            env.reset()
    return {
        "package": f"{package} {version(package)}",
        "environment": env_id,
        "num_envs": num_envs,
        "muscles": int(model.nu),
        "observation": int(env.observation_space.shape[-1]),
        "substeps": int(substeps),
        "timestep": float(model.opt.timestep),
        "mujoco": version("mujoco"),
        "milliseconds": {name: 1e3 * seconds / steps / num_envs for name, seconds in spent.items()},
    }


def _states(own: Any, model: mujoco.MjModel) -> Any:
    """States of the physics of an environment, (N, S)."""
    if hasattr(own, "body"):
        return getattr(own, "vector", own).get_state()["physics"]
    state = np.empty(mujoco.mj_stateSize(model, STATE))
    mujoco.mj_getState(model, own.data, state, STATE)
    return state[None]


if __name__ == "__main__":
    package, env_id, num_envs, steps = sys.argv[1:5]
    json.dump(measure(package, env_id, int(num_envs), int(steps), json.loads((sys.argv[5:] or ["{}"])[0])), sys.stdout)
