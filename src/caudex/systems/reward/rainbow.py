"""rainbow: all that was found to help deep Q-learning, together"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.core.system import System
from caudex.evaluation.claim import Claim
from caudex.models.agent import Agent
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnValues

PARTS = {
    "double": {"double": False},
    "duelling": {"duelling": False},
    "noise": {"noisy": False},
    "a distribution": {"atoms": 1},
    "several rewards": {"n_step": 1},
    "priorities": {"priority": 0.0},
}
"""each part, and what leaves it out"""


@dataclass
class Rainbow(OnValues, System):
    """An environment with a few actions: deep Q-learning with all its parts together (Hessel et al. 2018).

    Double, duelling, noise on the weights, a distribution over returns, several rewards at once, priorities.
    """

    double: bool = True
    dueling: bool = True
    noisy: bool = True
    atoms: int = 51
    priority: float = 0.5

    scales: ClassVar = {
        "tiny": {"total_steps": 1500, "learning_starts": 500, "exploration_fraction": 0.5},
        "paper": {
            "env": "ALE/Breakout-v4", "total_steps": 50_000_000, "num_envs": 1, "buffer_size": 1_000_000, "batch": 32, "every": 4, "learning_starts": 20_000,
            "n_step": 3, "span": 10.0, "target_interval": 2000, "lr": 6.25e-5,
        },
        "atari-100k": {
            "env": "ALE/Breakout-v4", "total_steps": 100_000, "num_envs": 1, "buffer_size": 100_000, "batch": 32, "every": 1, "learning_starts": 1600,
            "n_step": 20, "span": 10.0, "target_interval": 2000, "lr": 1e-4, "encoder": "efficient", "width": 256, "noise": 0.1,
        },
    }  # fmt: skip
    statement: ClassVar = "with all its parts together, deep Q-learning earns more than with none of them"

    def train(self, run: Run) -> Agent:
        return reward.by_values(self, run)

    def learner(self, spec: EnvSpec) -> Learner:
        return reward.values(self, spec)

    def claim(self, run: Run) -> Claim:
        """Against the same with no part; beside it, without each by itself."""
        self.train(run)
        none = {name: value for part in PARTS.values() for name, value in part.items()}
        earned = {}
        for name, left in {"none of them": none, **{f"without {part}": left for part, left in PARTS.items()}}.items():
            stage = run.stage(name.replace(" ", "-"))
            replace(self, **left).train(stage)
            earned[name] = stage.read_json("results")["policy"]["return"]
        found = run.read_json("results")
        against = {"none of them": earned.pop("none of them"), "random": found["random"]["return"]}
        return Claim(self.statement, found["policy"]["return"], against, earned)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_values(self)
