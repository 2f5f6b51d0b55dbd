"""Next observation: predict what an action leads to."""

from __future__ import annotations

from math import prod

from torch import Tensor
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.signal import Signal, SignalOutput
from caudex.core.specs import ActionSpec
from caudex.core.trunk import width_of
from caudex.signals.outcomes import OutcomeHead, normalised_mse

COARSE_SIDE = 8
"""pixels of a side of the coarse image that is predicted"""


class NextObservation(Signal):
    """Predict the next observation from the features of the history and the action.

    `shape` is that of an observation; of an image 8 x 8 means are predicted. The loss is the squared error divided by the
    variance. A forward model as an auxiliary task of an agent: Schmidhuber 1990.
    """

    needs = "histories"

    def __init__(self, shape: tuple[int, ...], actions: ActionSpec):
        super().__init__()
        self.shape, self.actions = shape, actions

    @classmethod
    def arguments_from(cls, spec):
        if not prod(spec.shape):
            raise CaudexError(f"--also next-observation: {spec.env} show nothing; leave it out, or take reward.")
        return {"shape": tuple(spec.shape), "actions": spec.actions}

    def build(self, trunk):
        outputs = self.shape[0] * COARSE_SIDE**2 if len(self.shape) == 3 else prod(self.shape)
        self.head = OutcomeHead(width_of(trunk), self.actions, outputs)

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        next_observations, continues = batch.next_task_observations(self.shape)  # none after a trial's last step
        predictions = self.head(trunk(batch.observations).pooled[continues], batch.actions[continues])
        return SignalOutput(normalised_mse(predictions, self.targets(next_observations)))

    def targets(self, observations: Tensor) -> Tensor:
        """[L, *shape] to [L, outputs]."""
        if len(self.shape) == 3:
            observations = F.adaptive_avg_pool2d(observations.float() / 255, COARSE_SIDE)
        return observations.flatten(1)
