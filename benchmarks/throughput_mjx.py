"""Steps per second of the vector environment on MJX, beside bare ``mjx.step``.

Both start each repetition on the same poses and get the same excitations; terminations are off. The sizes are those
that the device is for: thousands of environments where JAX finds an accelerator, a few on the CPU. On the CPU, seconds
are those of processor time, which other programs do not lengthen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
from ms_envs import MOTIONS
from ms_envs.envs.mjx_vector_env import MjxTrackingVectorEnv
from ms_envs.report_table import table_console
from mujoco import mjx
from rich.progress import track

from benchmarks import results_file
from benchmarks.throughput import (
    ENDLESS,
    EXCITATION,
    REPEATS,
    STEPS,
    Contestant,
    Throughput,
    markdown,
    phases,
    summary,
    table,
)

ACCELERATOR_SIZES = (256, 1024, 4096)
"""Environments on a GPU."""
CPU_SIZES, CPU_STEPS, CPU_REPEATS = (32,), 2, 4
"""Environments, control steps and repetitions on the CPU, where a body takes minutes to compile and 20 ms to step."""


class BareMjx:
    """``mjx.step`` alone, all physics steps of a control step in one call; nothing is observed."""

    def __init__(self, env: MjxTrackingVectorEnv) -> None:
        self.name, self.num_envs, self._env = "bare mjx.step", env.num_envs, env
        self._model, substeps = env.core.engine.model.mjx, env.options.substeps
        batched = jax.vmap(mjx.step, in_axes=(None, 0))

        def control_step(model: Any, data: Any, action: jax.Array) -> Any:
            data = data.replace(ctrl=action)
            return jax.lax.scan(lambda d, _: (batched(model, d), None), data, None, substeps)[0]

        # The model is a constant of the compiled code, as it is for whoever steps MJX by hand.
        self._step = jax.jit(lambda data, action: control_step(self._model, data, action), donate_argnums=0)

    def reset(self) -> None:
        """Take over the states of the environment after its reset."""
        self._env.reset(options={"phase": phases(self.num_envs)})
        physics = jax.tree.map(jnp.copy, self._env.state.physics)
        self._data = physics.data.replace(act=physics.muscles.activation)

    def advance(self, actions: np.ndarray) -> None:
        """Take control steps with actions (T, N, M)."""
        for action in jnp.asarray(actions):
            self._data = self._step(self._data, action)
        jax.block_until_ready(self._data)

    def close(self) -> None:
        """Nothing to stop."""


class MjxEnv:
    """The vector environment of this package on MJX."""

    def __init__(self, env: MjxTrackingVectorEnv) -> None:
        self.name, self.num_envs, self._env = f"ms_envs on MJX, {env.options.control} control", env.num_envs, env

    def reset(self) -> None:
        """Put the bodies on the motion."""
        self._env.reset(options={"phase": phases(self.num_envs)})

    def advance(self, actions: np.ndarray) -> None:
        """Take control steps with actions (T, N, M)."""
        for action in jnp.asarray(actions):
            result = self._env.step(action)
        jax.block_until_ready(result)

    def close(self) -> None:
        """Close the environment."""
        self._env.close()


def run(
    bodies: Sequence[str], motion: str, sizes: Sequence[int], impl: str, steps: int | None, repeats: int | None
) -> None:
    """Measure, print a table and write it to ``results/``; the device decides what is left open."""
    device = jax.devices()[0]
    on_cpu = device.platform == "cpu"
    sizes = sizes or (CPU_SIZES if on_cpu else ACCELERATOR_SIZES)
    steps, repeats = steps or (CPU_STEPS if on_cpu else STEPS), repeats or (CPU_REPEATS if on_cpu else REPEATS)
    machine = results_file.machine() | {"device": device.device_kind, "jax": jax.__version__, "impl": impl}
    results = [r for body in bodies for size in sizes for r in measure(body, motion, size, impl, steps, repeats)]
    memory = device.memory_stats() or {}
    settings = {"motion": motion, "steps": steps, "repeats": repeats, "control_rate": 50, "timestep": 0.002}
    settings |= {"seconds": "of processor time"} if on_cpu else {}
    settings |= {"peak_bytes_in_use": memory["peak_bytes_in_use"]} if "peak_bytes_in_use" in memory else {}
    table_console().print(table(results))
    results_file.write(
        "throughput-mjx",
        {"machine": machine, "settings": settings, "results": [asdict(result) for result in results]},
        markdown(results, machine, settings, "bare `mjx.step`", "throughput --engine mjx"),
    )


def measure(body: str, motion: str, num_envs: int, impl: str, steps: int, repeats: int) -> list[Throughput]:
    """Throughput of every contestant on one body at one size."""

    def make(control: str) -> Any:
        return gymnasium.make_vec(
            f"ms_envs:{MOTIONS[motion].env_id}",
            num_envs=num_envs,
            engine="mjx",
            impl=impl,
            body=body,
            control=control,
            **ENDLESS,
        )

    env = make("excitation")
    contestants: list[Contestant] = [BareMjx(env), MjxEnv(env), MjxEnv(make("reflex"))]
    shape = (steps, num_envs, env.single_action_space.shape[0])
    actions = np.random.default_rng(0).uniform(0, EXCITATION, shape).astype(np.float32)
    clock = time.process_time if jax.devices()[0].platform == "cpu" else time.perf_counter
    speeds: list[list[float]] = [[] for _ in contestants]
    for repetition in track(range(repeats + 1), f"{body}, {num_envs}"):
        for contestant, speed in zip(contestants, speeds, strict=True):
            contestant.reset()
            start = clock()
            contestant.advance(actions)
            elapsed = clock() - start
            if repetition > 0:  # the first one compiles
                speed.append(steps * num_envs / elapsed)
    for contestant in contestants:
        contestant.close()
    return [summary(body, c, s, speeds[0]) for c, s in zip(contestants, speeds, strict=True)]
