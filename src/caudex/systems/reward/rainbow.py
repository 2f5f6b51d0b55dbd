"""rainbow: DQN with six improvements together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from caudex.core.run import Run
from caudex.evaluation.claim import Claim
from caudex.systems.reward.dqn import DQN

PARTS = {
    "double": {"double": False},
    "duelling": {"dueling": False},
    "noise": {"noisy": False},
    "a distribution": {"num_atoms": 1},
    "several rewards": {"n_step": 1},
    "priorities": {"priority_exponent": 0.0},
}
"""each part, and what leaves it out; the names are seeds"""


@dataclass
class Rainbow(DQN):
    """An environment with a few actions: deep Q-learning with all its parts together (Hessel et al. 2018).

    Double, dueling, noisy weights, a distribution over returns, n-step returns, prioritised replay.
    """

    double: bool = True
    dueling: bool = True
    noisy: bool = True
    num_atoms: int = 51
    priority_exponent: float = 0.5

    scales: ClassVar = {
        "tiny": DQN.scales["tiny"],
        "paper": {
            "env": "ALE/Breakout-v4", "total_steps": 50_000_000, "num_envs": 1, "buffer_size": 1_000_000, "batch": 32, "train_freq": 4,
            "learning_starts": 20_000, "n_step": 3, "v_max": 10.0, "target_interval": 2000, "lr": 6.25e-5,
        },
        "atari-100k": {
            "env": "ALE/Breakout-v4", "total_steps": 100_000, "num_envs": 1, "buffer_size": 100_000, "batch": 32, "train_freq": 1,
            "learning_starts": 1600, "n_step": 20, "v_max": 10.0, "target_interval": 2000, "lr": 1e-4, "encoder": "efficient",
            "hidden": (256,), "noise_std": 0.1,
        },
    }  # fmt: skip
    statement: ClassVar = "with all its parts together, deep Q-learning earns more than with none of them"

    def claim(self, run: Run) -> Claim:
        """Against DQN without any of the parts and random actions; also reported, without each part alone."""
        self.train(run)
        no_parts = {name: value for disabled in PARTS.values() for name, value in disabled.items()}
        ablations = {"none of them": no_parts, **{f"without {part}": disabled for part, disabled in PARTS.items()}}
        returns = {}
        for name, disabled in ablations.items():
            stage = run.stage(name.replace(" ", "-"))
            replace(self, **disabled).train(stage)
            returns[name] = stage.read_json("results")["policy"]["return"]
        results = run.read_json("results")
        baselines = {"none of them": returns.pop("none of them"), "random": results["random"]["return"]}
        return Claim(self.statement, results["policy"]["return"], baselines, returns, {"random": baselines["random"]})
