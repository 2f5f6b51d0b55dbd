"""ddpg: Q-learning for continuous actions: a second network learns the best action."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.ranges import check_range
from caudex.core.specs import EnvSpec
from caudex.signals.deterministic_policy import DeterministicPolicy
from caudex.systems.reward.observation_trunk import observation_trunk
from caudex.systems.reward.off_policy import OffPolicySystem
from caudex.systems.reward.shared import check_continuous


@dataclass
class DDPG(OffPolicySystem):
    """A robot and its reward: deep deterministic policy gradient (Lillicrap et al. 2016), the simplest; sac is steadier.

    `caudex play RUN` plays what it learned; `--video out.mp4` shows it.
    """

    env: str = "Pendulum-v1"
    total_steps: int = 20_000
    buffer_size: int = 1_000_000
    train_freq: int = 1
    lr: float = 1e-3
    actor_lr: float = 1e-4
    """learning rate of the policy"""
    hidden: tuple[int, ...] = ()
    """units of each hidden layer of policy and critic, behind the trunk's convolutions for images; none given: 256 256"""
    noise_std: float = 0.1
    """standard deviation of the exploration noise on actions, whose bounds count as -1 and 1"""
    target_decay: float = 0.999
    """of the target networks, at each step"""
    critic_weight_decay: float = 1e-2
    """weight decay of the critic"""

    scales: ClassVar = {
        "tiny": {"total_steps": 1500, "learning_starts": 500, "hidden": (32, 32)},
        "paper": {
            "env": "HalfCheetah-v5", "total_steps": 2_500_000, "num_envs": 1, "hidden": (400, 300), "noise_std": 0.2,
        },
    }  # fmt: skip

    def learner(self, spec: EnvSpec) -> Learner:
        policy = DeterministicPolicy(
            spec.actions,
            self.hidden_layers(spec),
            self.noise_std,
            self.target_decay,
            self.critic_weight_decay,
            self.actor_lr,
        )
        trunk, signals = observation_trunk(spec, normalise=False), self.with_extra_signals({"policy": policy}, spec)
        return Learner(trunk, signals, partial(Adam, lr=self.lr), max_grad_norm=None)

    def hidden_layers(self, spec: EnvSpec) -> tuple[int, ...]:
        return self.hidden or (256, 256)

    def check_env(self, spec: EnvSpec) -> None:
        check_continuous(spec, "ddpg")
        super().check_env(spec)

    def check(self) -> None:
        super().check()
        check_range(self, actor_lr=(1e-8, 10), noise_std=(0, 10), target_decay=(0, 1), critic_weight_decay=(0, 1))
