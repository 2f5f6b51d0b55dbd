"""What the systems share that learn from a replay buffer."""

from __future__ import annotations

from dataclasses import dataclass

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.experience import EnvRunner, ReplaySource
from caudex.systems.reward.shared import RewardSystem


@dataclass
class OffPolicySystem(RewardSystem):
    """A system that learns from a replay buffer."""

    buffer_size: int = 100_000
    """transitions that the replay buffer holds"""
    learning_starts: int = 1000
    """random steps before learning begins"""
    batch: int = 64
    """transitions of one optimiser step"""
    train_freq: int = 4
    """steps of the environment for each optimiser step"""

    def source(self, runner: EnvRunner, learner: Learner, run: Run, **options) -> ReplaySource:
        """Act by the signal `policy` into a replay buffer; one batch of it for each `train_freq` steps. `options` go to `ReplaySource`."""
        return ReplaySource(
            runner, learner, "policy", self.buffer_size, self.batch, self.learning_starts, self.train_freq, self.gamma,
            seed=run.seed, folder=run.stage("training").folder.below("replay"), keep=run.hardware.keep, **options,
        )  # fmt: skip

    def check(self) -> None:
        super().check()
        inf = float("inf")
        check_range(self, buffer_size=(100, inf), learning_starts=(0, inf), batch=(1, 1 << 20), train_freq=(1, 1000))
        if self.learning_starts >= self.total_steps:
            raise CaudexError(
                f"--learning-starts {self.learning_starts:,} steps at random leave nothing of --total-steps "
                f"{self.total_steps:,}; give a lower --learning-starts."
            )
