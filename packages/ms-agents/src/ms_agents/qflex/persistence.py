"""What files hold of Qflex beside what they hold of every algorithm."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from sb3_contrib import CrossQ
from stable_baselines3.common.save_util import recursive_getattr

from ms_agents.checkpoint import read_checkpoint, write_checkpoint
from ms_agents.hyperparameter_set import HyperparameterSet
from ms_agents.learner import TrackingLearner
from ms_agents.qflex.hyperparameters import QFlexHyperparameters

OPTIMIZERS = ("policy.actor.optimizer", "policy.critic.optimizer", "policy.velocity_optimizer")


class PersistentCrossQ(TrackingLearner, CrossQ):
    """CrossQ whose ``save`` and ``load`` go by tensors and plain values; the base of :class:`~ms_agents.QFlex`.

    Files for an exact continuation hold the replay.
    """

    algorithm: ClassVar[str] = "qflex"
    hyperparameters_class: ClassVar[type[HyperparameterSet]] = QFlexHyperparameters

    def _learner_state(self) -> dict[str, Any]:
        optimizers = {name: recursive_getattr(self, name).state_dict() for name in OPTIMIZERS}
        own = {"optimizers": optimizers, "replay": self.replay_buffer.state_dict(), "episode_number": self._episode_num}
        return super()._learner_state() | own

    def _load_learner_state(self, learner: Mapping[str, Any]) -> None:
        super()._load_learner_state(learner)
        for name, state in learner["optimizers"].items():
            recursive_getattr(self, name).load_state_dict(state)
        self.replay_buffer.load_state_dict(learner["replay"])
        self._episode_num = learner["episode_number"]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", *OPTIMIZERS, "aggregator"], []

    @staticmethod
    def _parameters(state: Mapping[str, Any]) -> dict[str, Any]:
        learner = state.get("learner", {"optimizers": {}})
        own = {"aggregator": learner["aggregator"]} if "aggregator" in learner else {}
        return {"policy": state["policy"]} | learner["optimizers"] | own

    def save_replay_buffer(self, path: str | os.PathLike[str]) -> None:
        """Write the replay alone to a file, atomically; :meth:`save` writes it too."""
        write_checkpoint(path, self.replay_buffer.state_dict())

    def load_replay_buffer(self, path: str | os.PathLike[str], truncate_last_traj: bool = True) -> None:
        """Read what :meth:`save_replay_buffer` wrote; no transition depends on the next, so none is cut off."""
        self.replay_buffer.load_state_dict(read_checkpoint(path))
