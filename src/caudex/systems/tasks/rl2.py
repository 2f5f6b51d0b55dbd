"""rl2: task after task, until going on after a reward has become a way to learn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from caudex.adam import Adam
from caudex.agent import Agent, Observed
from caudex.claim import Claim, mean_interval
from caudex.experience import Histories
from caudex.learner import Learner
from caudex.meta_testing import tried
from caudex.run import Run
from caudex.signals.policy_gradient import ClippedPolicy
from caudex.system import System, inside
from caudex.training import fit
from caudex.trunks import Recurrent
from caudex.worlds import trials

TESTED = 1000
"""new tasks at the end"""
CLAIMED = 10_000
"""new tasks that a claim is judged by"""


@dataclass
class Rl2(System):
    """A family of tasks, and the reward in each: an agent with memory that learns how to learn them (Duan et al. 2016).

    It acts in task after task by proximal policy optimisation over whole trials; what it remembers of a trial's beginning
    is all that it knows of the task. `caudex meta-test RUN` tries it on new tasks, beside the classical ways.
    """

    world: str = "bandits"
    """bandits, tabular-mdps, mazes, or module:function, which makes a Gymnasium environment of a seed"""
    arms: int | None = None
    """of bandits: 5"""
    pulls: int | None = None
    """of bandits, in a trial: 100"""
    states: int | None = None
    """of tabular-mdps: 10"""
    actions: int | None = None
    """of tabular-mdps: 5"""
    horizon: int | None = None
    """of tabular-mdps, steps of an episode: 10"""
    size: str | None = None
    """of mazes: small, or large"""
    view: str | None = None
    """of mazes: inside, or above"""
    episodes: int | None = None
    """of a trial: 10 of tabular-mdps, else 2; bandits have pulls"""
    limit: int | None = None
    """steps after which an episode of module:function is cut; without it, its own"""
    experience: int = 20_000_000
    """steps in the world, of all tasks together"""
    steps: int | None = None
    """stop after so many optimiser steps, where that comes first"""
    tasks: int = 2000
    """tasks side by side"""
    batch: int = 500
    """trials that one optimiser step learns from"""
    epochs: int = 5
    """passes over the trials of a round"""
    width: int = 64
    """numbers that are remembered"""
    gamma: float = 0.99
    """what a reward is worth one step later, also in the next episode"""
    lam: float = 0.3
    """lambda of generalised advantage estimation"""
    clip: float = 0.2
    """how far an action's probability may change, as a share"""
    entropy: float = 0.0
    """bonus on the entropy of the policy"""
    lr: float = 3e-3
    """learning rate"""

    scales: ClassVar = {"tiny": {"experience": 20_000, "tasks": 100, "batch": 50, "width": 16}}
    form: ClassVar = ",.2f"
    measure: ClassVar = "mean return of a trial"
    statement: ClassVar = "in tasks that are new, who learned to learn earns what the best classical way earns, or more"
    settings_of_worlds: ClassVar = (
        "arms", "pulls", "states", "actions", "horizon", "size", "view", "episodes", "limit",
    )  # fmt: skip

    def train(self, run: Run) -> Agent:
        settings = {name: value for name in self.settings_of_worlds if (value := getattr(self, name)) is not None}
        here = trials.make(self.world, self.tasks, **settings)
        shown, action = here.family.observation.shape, here.action
        actions = (
            {"low": action.low.tolist(), "high": action.high.tolist()} if action.shape else {"count": here.choices}
        )
        facts = {"world": self.world, "settings": settings, "shape": list(shown), "actions": actions}
        with run.seeded("weights"):
            learner = self.learner(facts)
        source = Histories(here, learner, "policy", self.batch, self.epochs, self.gamma, self.lam, run.seed)
        run.keep("facts", facts)
        fit(learner, dict.fromkeys(learner.signals, source), **self.budget(1.0), run=run.stage("training"))
        agent = Agent(learner, facts)
        found = agent.play(TESTED, run.seed).returns.sum(1)
        run.keep("results", {"rl2": dict(zip(("return", "low", "high"), mean_interval(found))), "tasks": TESTED})
        return agent

    def learner(self, facts: dict) -> Learner:
        shape, actions = tuple(facts["shape"]), facts["actions"]
        seeing = Observed(shape, (actions.get("count") or len(actions["low"])) + 2)
        policy = ClippedPolicy(actions, (), self.entropy, clip=self.clip)
        optimizer = partial(Adam, lr=self.lr, eps=1e-5)
        trunk = Recurrent(seeing, self.width)
        return Learner(trunk, {"policy": policy}, optimizer, lambda progress: 1 - progress, clip=0.5)

    def budget(self, share: float) -> dict:
        return super().budget(share) | {"experience": self.experience}

    def model(self, facts: dict) -> Agent:
        return Agent(self.learner(facts), facts)

    def tell(self, results: dict) -> list[tuple]:
        found = results["rl2"]
        interval = f"{found['low']:,.3f} to {found['high']:,.3f}"
        return [
            (f"{results['tasks']:,} new tasks", "mean return", "95% interval"),
            ("rl2", f"{found['return']:,.3f}", interval),
        ]

    def claim(self, run: Run) -> Claim:
        """What it earns in new tasks, against the best of the classical ways that are told no more than it is."""
        earned = {name: each.returns.sum(1).mean() for name, each in tried(self.train(run), CLAIMED, run.seed).items()}
        own, further = earned.pop("rl2"), {}
        if self.world == "mazes":  # these see the maze from above, or where one stands
            further = {name: earned.pop(name) for name in ("wall following", "count-based", "shortest path")}
        best = max(earned, key=earned.get, default="")
        return Claim(self.statement, own, {"the best classical way": earned.get(best, 0.0)}, further | earned)

    def check(self) -> None:
        super().check()
        endless = float("inf")
        inside(
            self, experience=(1, endless), tasks=(1, 1 << 20), batch=(1, 1 << 20), epochs=(1, 1000), width=(1, 1 << 14)
        )
        inside(self, gamma=(0, 1), lam=(0, 1), clip=(1e-3, 10), entropy=(0, 10), lr=(1e-8, 10))
