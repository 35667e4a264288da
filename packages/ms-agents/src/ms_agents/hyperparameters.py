"""Every constant of a training run, in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

from ms_agents.hyperparameter_set import HyperparameterSet

ACTIVATIONS = ("silu", "relu", "tanh")
"""Activation functions of the networks."""


@dataclass(frozen=True)
class DiscriminatorHyperparameters:
    """Constants of the adversarial aggregator (ADD, Zhang et al. 2025).

    Attributes:
        hidden: Widths of the hidden layers.
        learning_rate: Of Adam.
        updates: Gradient steps per iteration.
        batch: Negatives per gradient step, half from the rollout and half from the replay.
        gradient_penalty: Weight of the penalty on the gradient of the logit.
        logit_decay: Weight of the squared output weights.
        replay_capacity: Old errors kept.
        replay_samples: Errors of each rollout that enter a full replay.
        reward_scale: Factor on the reward.
    """

    hidden: tuple[int, ...] = (256, 128)
    learning_rate: float = 3e-4
    updates: int = 8
    batch: int = 512
    gradient_penalty: float = 2.0
    logit_decay: float = 0.01
    replay_capacity: int = 200_000
    replay_samples: int = 1_000
    reward_scale: float = 2.0


@dataclass(frozen=True)
class StateDependentHyperparameters:
    """Constants of state-dependent exploration (gSDE).

    Attributes:
        features: Random features that the noise is a linear function of.
        interval: Steps after which that function is drawn anew.
    """

    features: int = 64
    interval: int = 8


@dataclass(frozen=True)
class CorrelatedHyperparameters:
    """Constants of noise that is correlated at the joints.

    Attributes:
        share: Share of the noise of every action that is common to actions with the same joint moments, in [0, 1).
    """

    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise ValueError(f"the share of correlated noise must be in [0, 1), got {self.share!r}")


@dataclass(frozen=True)
class FlowHyperparameters:
    """Constants of value-guided flow exploration (Qflex, Wei, Zuo & Sui 2026).

    Attributes:
        hidden: Widths of the hidden layers of critics and velocity field.
        learning_rate: Of Adam.
        epochs: Passes over a rollout, of the velocity field; the critics take as many steps, on the replay.
        minibatch: Frames per gradient step.
        replay_capacity: Frames of this and earlier rollouts that the critics learn from.
        ascent_steps: Steps along the critic's gradient.
        step_size: Length of one per unit of gradient, η.
        reach: Bound on the whole way, in standard deviations of the base policy per action.
        steps: Euler steps of the transport.
    """

    hidden: tuple[int, ...] = (256, 256)
    learning_rate: float = 1e-3
    epochs: int = 3
    minibatch: int = 512
    replay_capacity: int = 16_384
    ascent_steps: int = 5
    step_size: float = 0.2
    reach: float = 0.5
    steps: int = 4


@dataclass(frozen=True)
class Hyperparameters(HyperparameterSet):
    """Constants of :class:`ms_agents.AggregatedPPO`; the defaults suit tens of environments on a CPU.

    Attributes:
        environments: Environments stepped together.
        rollout_steps: Steps of each environment per iteration.
        epochs: Passes over a rollout.
        minibatch: Frames per gradient step.
        learning_rate: Of Adam, at the start.
        target_kl: KL divergence per iteration that the learning rate is steered to; ``None`` keeps the rate.
        learning_rate_range: Bounds of the steered rate.
        gamma: Discount.
        gae_lambda: Bias and variance trade-off of TD(λ).
        clip: Clip range of the importance ratio.
        advantage_clip: Bound on normalised advantages; ``None`` for none.
        value_coefficient: Weight of the value loss.
        bound_coefficient: Weight of the squared distance of the mean action from the box, in half ranges.
        max_gradient_norm: Bound on the gradient.
        action_std: Standard deviation of the base policy, in half ranges of the action box.
        hidden: Widths of the hidden layers of actor and critic.
        activation: One of :data:`ACTIVATIONS`.
        output_scale: Factor on the initial weights of the actor's last layer.
        observation_clip: Bound on normalised observations.
        discriminator: Constants of the adversarial aggregator.
        gsde: Constants of the state-dependent explorer.
        correlated: Constants of the correlated explorer.
        flow: Constants of the flow explorer.
    """

    environments: int = 32
    rollout_steps: int = 64
    epochs: int = 6
    minibatch: int = 512
    learning_rate: float = 5e-4
    target_kl: float | None = 0.06
    learning_rate_range: tuple[float, float] = (2e-5, 1e-3)
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    advantage_clip: float | None = None
    value_coefficient: float = 0.5
    bound_coefficient: float = 0.05
    max_gradient_norm: float = 1.0
    action_std: float = 0.1
    hidden: tuple[int, ...] = (256, 256)
    activation: str = "silu"
    output_scale: float = 0.05
    observation_clip: float = 10.0
    discriminator: DiscriminatorHyperparameters = field(default_factory=DiscriminatorHyperparameters)
    gsde: StateDependentHyperparameters = field(default_factory=StateDependentHyperparameters)
    correlated: CorrelatedHyperparameters = field(default_factory=CorrelatedHyperparameters)
    flow: FlowHyperparameters = field(default_factory=FlowHyperparameters)

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"unknown activation {self.activation!r}; choose one of {', '.join(ACTIVATIONS)}")
        for name in ("environments", "rollout_steps", "epochs", "minibatch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.environments * self.rollout_steps < 2:
            raise ValueError("an iteration needs at least two frames to normalise advantages over")


Hyperparameters.presets = {
    "cpu": Hyperparameters(),
    "gpu": Hyperparameters(
        environments=4096,
        rollout_steps=32,
        epochs=5,
        minibatch=16_384,
        learning_rate=1e-4,
        target_kl=None,
        gamma=0.99,
        advantage_clip=4.0,
        bound_coefficient=10.0,
        action_std=0.05,
        hidden=(1024, 512),
        activation="relu",
        output_scale=0.01,
        discriminator=DiscriminatorHyperparameters(hidden=(1024, 512), learning_rate=2.5e-4, updates=16, batch=8192),
    ),
}
