"""dqn: what will each action have earned in the end?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch.optim import Adam

from caudex import reward, trunks
from caudex.claim import Claim
from caudex.errors import CaudexError
from caudex.learner import Learner
from caudex.player import Player
from caudex.reward import OnReplay
from caudex.run import Run
from caudex.signals.q_learning import QLearning
from caudex.system import System, inside
from caudex.training import fit


@dataclass
class Dqn(OnReplay, System):
    """A world with a few actions: deep Q-learning (Mnih et al. 2015), and each part of Rainbow (Hessel et al. 2018).

    `caudex play RUN` plays what it learned. `--double --duelling --noisy --atoms 51 --returns 3 --priority 0.5` together
    are Rainbow.
    """

    lr: float = 5e-4
    double: bool = False
    """the network itself chooses the action after, the slow copy tells its worth"""
    duelling: bool = False
    """worth of the state and advantage of the action in heads of their own"""
    noisy: bool = False
    """explore by noise on the weights that is learned"""
    atoms: int = 1
    """from 2: a distribution over so many returns, instead of the mean"""
    span: float = 10.0
    """with --atoms: the largest return, and the smallest below zero"""
    returns: int = 1
    """rewards that are added up before the slow copy tells what follows"""
    priority: float = 0.0
    """draw by the error to this power; 0 draws all alike"""
    renew: int = 500
    """optimiser steps from one slow copy to the next"""
    explore: float = 0.05
    """chance of any action, once it has fallen"""
    exploring: float = 0.3
    """share of the training over which it falls from 1"""

    scales: ClassVar = {"tiny": {"experience": 1500, "start": 500, "exploring": 0.5}}
    measure: ClassVar = "mean return"
    statement: ClassVar = "acting by what was learned earns more than acting at random"

    def train(self, run: Run) -> Player:
        acting, facts = reward.begun(self, run)
        if "count" not in facts["actions"]:
            raise CaudexError(f"{self.world} is acted in with numbers, dqn chooses among actions; take ppo or sac.")
        run.keep("facts", facts)
        with run.seeded("weights"):
            learner = self.learner(facts)
        source = reward.remembered(self, acting, learner, run, steps=self.returns, priority=self.priority)
        fit(learner, reward.sources(self, learner, source, facts, run), **self.budget(1.0), run=run.stage("training"))
        return reward.finish(Player(learner, facts), run)

    def budget(self, share: float) -> dict:
        return super().budget(share) | {"experience": self.experience}

    def learner(self, facts: dict) -> Learner:
        shape = tuple(facts["shape"])
        pictures = len(shape) == 3
        trunk = trunks.Nature(shape, width=0) if pictures else reward.trunk(facts)
        hidden = ((512,) if min(shape[1:]) >= 36 else (128,)) if pictures else (128, 128)
        signal = QLearning(
            facts["actions"]["count"], hidden, self.double, self.duelling, self.noisy, self.atoms, self.span, self.renew,
            self.explore, self.exploring,
        )  # fmt: skip
        signals = reward.further(self, {"policy": signal}, facts)
        return Learner(trunk, signals, partial(Adam, lr=self.lr, eps=1.5e-4, fused=True), clip=10.0)

    def model(self, facts: dict) -> Player:
        return Player(self.learner(facts), facts)

    def tell(self, results: dict) -> list[tuple]:
        return reward.told(results)

    def claim(self, run: Run) -> Claim:
        return reward.claimed(self, run)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_replay(self)
        inside(
            self,
            atoms=(1, 1001),
            span=(1e-6, float("inf")),
            returns=(1, 1000),
            priority=(0, 10),
            renew=(1, float("inf")),
            explore=(0, 1),
            exploring=(1e-6, 1),
        )
