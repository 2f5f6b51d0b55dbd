"""Reward: predict the reward of an action."""

from __future__ import annotations

from caudex.core.signal import Signal, SignalOutput
from caudex.core.specs import ActionSpec
from caudex.core.trunk import width_of
from caudex.signals.outcomes import OutcomeHead, normalised_mse


class Reward(Signal):
    """Predict the reward from the features of the history and the action.

    The loss is the squared error divided by the variance. Reward prediction as an auxiliary task of an agent: Jaderberg et
    al. 2017, section 3.2, where it is predicted from three frames and not from the whole history.
    """

    needs = "histories"

    def __init__(self, actions: ActionSpec):
        super().__init__()
        self.actions = actions

    @classmethod
    def arguments_from(cls, spec):
        return {"actions": spec.actions}

    def build(self, trunk):
        self.head = OutcomeHead(width_of(trunk), self.actions, 1)

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        predictions = self.head(trunk(batch.observations).pooled, batch.actions).squeeze(-1)
        return SignalOutput(normalised_mse(predictions, batch.rewards))
