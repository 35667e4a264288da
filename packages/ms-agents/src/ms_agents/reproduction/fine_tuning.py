"""From a clone to a run of PPO that does not destroy it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ms_agents.checkpoint import write_checkpoint
from ms_agents.ppo.algorithm import AggregatedPPO
from ms_agents.reproduction.config import ReproductionConfig
from ms_agents.runs import LAST


def prime(
    config: ReproductionConfig,
    run: Path,
    clone: Mapping[str, Any] | None,
    seconds: float,
    threads: int | None,
    report: Callable[[float], None],
) -> int:
    """Write the checkpoint that fine-tuning starts from.

    A critic and a discriminator that know nothing would tear the clone apart, so both learn first from what it does,
    while it stays as it is.

    Args:
        config: What is reproduced.
        run: The run directory.
        clone: State of the cloned policy; ``None`` for a new policy, which learns at once.
        seconds: Processor time of the warm-up.
        threads: Threads that step physics; by default one per core.
        report: Told the processor time spent so far after each rollout, s.

    Returns:
        Environment steps that were taken.
    """
    begun = time.process_time()
    env = config.training(1, threads).make_env()
    try:
        model = AggregatedPPO(env=env, hyperparameters=config.learner, seed=config.seed, device="cpu")
        if clone is not None:
            model.policy.load_state_dict(clone)
            model.policy.actor.requires_grad_(False)
        while not model.num_timesteps or time.process_time() - begun < seconds:
            model.learn(config.learner.environments * config.learner.rollout_steps, reset_num_timesteps=False)
            report(time.process_time() - begun)
        model.policy.actor.requires_grad_(True)
        if clone is not None:
            model.learning_rate_now = config.learner.learning_rate  # it was steered by a policy that stood still
        progress = {"elapsed": 0.0, "best": None, "next_evaluation": model.num_timesteps}
        config.training(1, threads).save(run, model.identity)
        write_checkpoint(run / LAST, {**model.state_dict(), "other_processes": [], "run": progress})
    finally:
        env.close()
    return model.num_timesteps
