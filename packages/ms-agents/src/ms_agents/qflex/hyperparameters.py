"""Every constant of Qflex, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from ms_agents.hyperparameter_set import HyperparameterSet
from ms_agents.hyperparameters import DiscriminatorHyperparameters


@dataclass(frozen=True)
class QFlexHyperparameters(HyperparameterSet):
    """Constants of :class:`ms_agents.QFlex`; the defaults suit one CPU.

    Attributes:
        environments: Environments stepped together.
        rollout_steps: Vector steps per iteration, after which the aggregator and the scale of observations learn.
        gradient_steps: Updates after each vector step.
        learning_starts: Environment steps that only fill the replay.
        replay_capacity: Transitions kept; each takes ``4 (2 D + A + E) + 5`` bytes.
        batch: Transitions per update.
        flow_batch: Those of them that the velocity field learns from.
        policy_delay: Updates of the critics per update of base policy and velocity field.
        learning_rate: Of Adam.
        adam_beta: First momentum of Adam, β₁.
        gamma: Discount.
        actor_hidden: Widths of the hidden layers of the base policy.
        critic_hidden: Widths of those of each critic.
        flow_hidden: Widths of those of the velocity field.
        renorm_warmup: Updates in which batch renormalisation is plain batch normalisation.
        initial_std: Standard deviation of the base policy at the start, before squashing.
        output_scale: Factor on the initial weights of the base policy's last layer.
        ascent_steps: Steps along the critics' gradient, N.
        step_size: Length of one per unit of gradient, η.
        transport_steps: Euler steps of the transport.
        observation_clip: Bound on normalised observations.
        discriminator: Constants of the adversarial aggregator.
    """

    environments: int = 8
    rollout_steps: int = 256
    gradient_steps: int = 1
    learning_starts: int = 2_048
    replay_capacity: int = 100_000
    batch: int = 256
    flow_batch: int = 64
    policy_delay: int = 3
    learning_rate: float = 3e-4
    adam_beta: float = 0.5
    gamma: float = 0.99
    actor_hidden: tuple[int, ...] = (256, 256)
    critic_hidden: tuple[int, ...] = (256, 256)
    flow_hidden: tuple[int, ...] = (256, 256)
    renorm_warmup: int = 100_000
    initial_std: float = 0.2
    output_scale: float = 0.05
    ascent_steps: int = 5
    step_size: float = 0.04
    transport_steps: int = 4
    observation_clip: float = 10.0
    discriminator: DiscriminatorHyperparameters = field(default_factory=DiscriminatorHyperparameters)

    def __post_init__(self) -> None:
        for name in ("environments", "rollout_steps", "batch", "flow_batch", "policy_delay", "transport_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.batch < 2:
            raise ValueError("batch must be at least 2, since batch renormalisation needs a variance")
        if self.flow_batch > self.batch:
            raise ValueError(f"flow_batch is a part of batch, but {self.flow_batch} is more than {self.batch}")
        if self.replay_capacity < self.environments:
            raise ValueError(
                f"replay_capacity {self.replay_capacity} does not hold one step of {self.environments} environments"
            )


QFlexHyperparameters.presets = {
    "cpu": QFlexHyperparameters(),
    "gpu": QFlexHyperparameters(
        environments=64,
        rollout_steps=64,
        replay_capacity=1_000_000,
        flow_batch=256,
        policy_delay=1,
        critic_hidden=(1024, 1024),
        ascent_steps=20,
        step_size=0.01,
        initial_std=1.0,
        transport_steps=20,
        discriminator=DiscriminatorHyperparameters(hidden=(1024, 512), learning_rate=2.5e-4, updates=16, batch=4096),
    ),
}
