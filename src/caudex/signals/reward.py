"""Reward: what will this action earn?"""

from __future__ import annotations

from collections.abc import Mapping

from caudex.core.signal import Signal, SignalOutput
from caudex.core.trunk import width_of
from caudex.signals.outcomes import Outcome, over_variance


class Reward(Signal):
    """What will this action earn, as far as one remembers the task?

    The loss is the squared error over the variance: 1 for one who always says the mean. Reward as a further task of a trunk
    that acts: Jaderberg et al. 2017, section 3.2, where it is foretold from three frames and not from all that came before.
    """

    needs = "histories"

    def __init__(self, actions: Mapping):
        super().__init__()
        self.actions = actions

    @classmethod
    def arguments_from(cls, spec):
        return {"actions": spec.actions}

    def build(self, trunk):
        self.head = Outcome(width_of(trunk), self.actions, 1)

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        told = self.head(trunk(batch.observations).pooled, batch.actions).squeeze(-1)
        return SignalOutput(over_variance(told, batch.rewards))
