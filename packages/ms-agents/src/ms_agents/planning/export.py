"""Plans in the formats of others: OpenSim's tables, and clips."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from ms_envs.bodies import load_body
from ms_envs.inverse.opensim import coordinates
from ms_envs.inverse.storage import Storage, write_storage
from ms_envs.motions.clip import MotionClip

from ms_agents.identity import check_identity
from ms_agents.planning.plan import Plan
from ms_agents.planning.stage import make_stage


def plan_clip(plan: Plan) -> MotionClip:
    """The trajectory of a plan as a clip: a version of the motion that the muscles can produce.

    Args:
        plan: The plan.

    Returns:
        The clip, from the start of the motion to where the plan ends, with the activations of the plan and the contacts
        of the motion; it does not loop.

    Raises:
        ValueError: If body, clip or options are not those the plan was made for.
    """
    env = make_stage(plan.request, 1)
    try:
        check_identity(plan.identity, env, "plan")
        qpos, qvel, activation = (
            np.concatenate([start, plan.rows[name]])
            for start, name in zip(env.coordinates(), ("qpos", "qvel", "activation"), strict=True)
        )
        frame, fraction, _ = env.clip.locate(np.append(0.0, plan.rows["time"]))
        clip = MotionClip.through(
            env.clip.motion,
            env.body,
            qpos,
            1 / env.control_timestep,
            loop=False,
            contact=env.clip.contact[frame + (fraction > 0.5)],
            provenance={"plan": plan.request.to_dict(), "reference": dict(env.clip.provenance)},
        )
        return replace(clip, qvel=qvel, activation=np.clip(activation, 0.0, 1.0))
    finally:
        env.close()


def write_opensim(plan: Plan, folder: Path, name: str) -> None:
    """Write coordinates, activations and excitations of a plan as OpenSim reads them.

    Args:
        plan: The plan.
        folder: Where to, created if needed.
        name: Beginning of the names: ``NAME.mot``, ``NAME_activations.sto``, ``NAME_excitations.sto``.

    Raises:
        ValueError: If body, clip or options are not those the plan was made for.
    """
    clip = plan_clip(plan)
    body = load_body(clip.body_name, **plan.request.env_kwargs.get("body_options", {}))
    write_storage(folder / f"{name}.mot", coordinates(body, clip))
    for quantity in ("activation", "excitation"):
        table = Storage(f"{quantity}s", plan.rows["time"], body.muscle_names, plan.rows[quantity])
        write_storage(folder / f"{name}_{quantity}s.sto", table)
