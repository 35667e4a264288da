"""What files hold of PPO beside what they hold of every algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from stable_baselines3 import PPO

from ms_agents.hyperparameter_set import HyperparameterSet
from ms_agents.hyperparameters import Hyperparameters
from ms_agents.learner import TrackingLearner


class PersistentPPO(TrackingLearner, PPO):
    """PPO whose ``save`` and ``load`` go by tensors and plain values; the base of :class:`~ms_agents.AggregatedPPO`."""

    algorithm: ClassVar[str] = "ppo"
    hyperparameters_class: ClassVar[type[HyperparameterSet]] = Hyperparameters

    def policy_state_dict(self) -> dict[str, Any]:
        """What acting needs: policy and explorer, and what they were made for and with."""
        return super().policy_state_dict() | {"explorer": self.explorer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore policy and explorer and, if they were saved, the learner and its environment."""
        self.explorer.load_state_dict(state["explorer"])
        super().load_state_dict(state)

    def _learner_state(self) -> dict[str, Any]:
        own = {"learning_rate": self.learning_rate_now, "optimizer": self.policy.optimizer.state_dict()}
        return super()._learner_state() | own

    def _load_learner_state(self, learner: Mapping[str, Any]) -> None:
        super()._load_learner_state(learner)
        self.learning_rate_now = learner["learning_rate"]
        self.policy.optimizer.load_state_dict(learner["optimizer"])

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return ["policy", "policy.optimizer", "explorer", "aggregator"], []

    @staticmethod
    def _parameters(state: Mapping[str, Any]) -> dict[str, Any]:
        learner = state.get("learner", {})
        optimizer, aggregator = learner.get("optimizer"), learner.get("aggregator")
        found = {"policy.optimizer": optimizer, "explorer": state["explorer"], "aggregator": aggregator}
        return {"policy": state["policy"]} | {name: value for name, value in found.items() if value is not None}
