"""Environments for planning: endless but for the end of the motion, always from its beginning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from ms_envs.bodies import DEFAULT_BODY
from ms_envs.envs import TrackingVectorEnv
from ms_envs.recording import Episode
from numpy.typing import NDArray

from ms_agents.planning.body_error import RootFrameError
from ms_agents.planning.plan import PlanRequest

ROUNDS = 3
"""Rounds of a looping motion that are planned by default."""
REFLEX = {"tone": 0.0, "stiffness": 50.0, "damping": 3.0}
"""Gains under the offsets by default."""
BODY_REFLEX = {"myo-fullbody": {"stiffness": 20.0, "damping": 1.2}}
"""Gains of bodies whose muscles chatter with those, as activation follows excitation too late."""
ENDLESS = 1e6
"""A limit that no body reaches, m."""


def make_stage(
    request: PlanRequest, num_envs: int, threads: int | None = None, muscle_paths: str | None = None
) -> TrackingVectorEnv:
    """Environments on the CPU engine, at the beginning of the motion.

    Args:
        request: What to plan.
        num_envs: How many.
        threads: Threads that step physics; by default one per core.
        muscle_paths: Those of the roll-outs; by default as requested.

    Raises:
        ValueError: If an argument is not valid, or one that planning sets itself.
    """
    arguments = stage_arguments(request) | ({} if muscle_paths is None else {"muscle_paths": muscle_paths})
    made = gymnasium.make_vec(request.id, num_envs=num_envs, engine="cpu", threads=threads, **arguments)
    env = made.unwrapped
    if not isinstance(env, TrackingVectorEnv):
        made.close()
        raise ValueError(f"plans are for the environments of ms_envs, which {request.id!r} is not")
    env.reset(seed=request.seed, options={"phase": 0.0})
    return env


def stage_arguments(request: PlanRequest) -> dict[str, Any]:
    """Arguments of the environment in which a plan is made and replayed.

    Raises:
        ValueError: If the request gives one that planning sets itself.
    """
    own: dict[str, Any] = {"control": "posture", "horizon": ENDLESS, "reset_noise": 0.0, "reset_distribution": "start"}
    own |= {"root_termination": ENDLESS, "key_body_termination": ENDLESS}
    taken = sorted(set(request.env_kwargs) & set(own))
    if taken:
        raise ValueError(f"planning sets {', '.join(taken)} itself; leave it out of the arguments of the environment")
    return {**request.env_kwargs, "reflex": reflex_gains(request.env_kwargs), **own}


def reflex_gains(env_kwargs: Mapping[str, Any]) -> dict[str, float]:
    """Gains of the reflex under the offsets: those that are given, else those of the body."""
    own = BODY_REFLEX.get(env_kwargs.get("body", DEFAULT_BODY), {})
    return REFLEX | own | dict(env_kwargs.get("reflex", {}))


def plan_steps(request: PlanRequest, env: TrackingVectorEnv) -> int:
    """Control steps of the whole plan.

    Raises:
        ValueError: If the motion is shorter than what is asked for.
    """
    whole = env.clip.duration * (ROUNDS if env.clip.loop else 1)
    seconds = whole if request.seconds is None else request.seconds
    if seconds <= 0:
        raise ValueError(f"a plan must last more than 0 s, got {seconds:g}")
    if seconds > whole and not env.clip.loop:
        raise ValueError(f"the motion lasts {whole:g} s; a plan of it cannot last {seconds:g} s")
    return max(int(np.floor(seconds / env.control_timestep + 1e-6)), 1)


class Performance:
    """A single environment that acts, and the record of it.

    Args:
        env: The environment.
    """

    def __init__(self, env: TrackingVectorEnv) -> None:
        self.env, self._body_error = env, RootFrameError(env.body)
        self._states, self._steps = [env.get_state()], list[tuple[NDArray[np.float32], dict[str, Any]]]()

    def __len__(self) -> int:
        return len(self._steps)

    def act(self, action: NDArray[np.float32]) -> None:
        """Take an action (A,) for one control step."""
        env = self.env
        *_, info = env.step(action[None])
        qpos, qvel, activation = env.coordinates()
        state, reference = env.tracking_state()
        distances = np.linalg.norm(state.pose.key_position - reference.key_position, axis=-1)
        metrics = {name: float(values[0]) for name, values in info["metrics"].items() if not name.startswith("_")}
        target, _ = env.clip.coordinates(env.time)
        metrics |= {
            "root_frame_body_error": self._body_error(qpos[0], target[0]),
            "largest_body_error": 1e3 * float(distances.max()),
            "diverged": float(state.diverged[0]),
        }
        row = {
            "time": float(env.time[0]),
            "qpos": qpos[0],
            "qvel": qvel[0],
            "activation": activation[0],
            "excitation": env.excitation()[0],
            "reference_qpos": target[0],
            "metrics": metrics,
        }
        self._steps.append((action.copy(), row))
        self._states.append(env.get_state())

    @property
    def metrics(self) -> dict[str, float]:
        """Of the last control step."""
        metrics: dict[str, float] = self._steps[-1][1]["metrics"]
        return metrics

    def return_to(self, step: int) -> None:
        """Forget what came after a control step; the environment is as it was then, to the last bit."""
        del self._steps[step:], self._states[step + 1 :]
        self.env.set_state(self._states[step])

    def rows(self) -> dict[str, NDArray[Any]]:
        """What was recorded, one row per control step, each at its end."""
        episode = Episode()
        for _, row in self._steps:
            episode.record(**row)
        return {"action": np.array([action for action, _ in self._steps]), **episode.arrays()}
