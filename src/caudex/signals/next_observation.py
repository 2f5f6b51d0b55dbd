"""Next observation: what will be seen after this action?"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from torch import Tensor
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.signal import Signal, SignalOutput
from caudex.core.trunk import width_of
from caudex.signals.outcomes import Outcome, over_variance

COARSE = 8
"""of an image that is foretold, in means of its parts: pixels of a side"""


class NextObservation(Signal):
    """What will the task show after this action, as far as one remembers it?

    `shape` is that of what is shown; of an image 8 x 8 means are told. The loss is the squared error over the variance: 1
    for one who always says the mean. A model of what comes as a further task of a trunk that acts: Schmidhuber 1990.
    """

    needs = "histories"

    def __init__(self, shape: tuple[int, ...], actions: Mapping):
        super().__init__()
        self.shape, self.actions = shape, actions

    @classmethod
    def arguments_from(cls, spec):
        if not prod(spec.shape):
            raise CaudexError(f"--also next-observation: {spec.env} show nothing; leave it out, or take reward.")
        return {"shape": tuple(spec.shape), "actions": spec.actions}

    def build(self, trunk):
        out = self.shape[0] * COARSE**2 if len(self.shape) == 3 else prod(self.shape)
        self.head = Outcome(width_of(trunk), self.actions, out)

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        shown, goes_on = batch.next_shown(self.shape)  # nothing is seen after a trial's last step
        told = self.head(trunk(batch.observations).pooled[goes_on], batch.actions[goes_on])
        return SignalOutput(over_variance(told, self.target(shown)))

    def target(self, shown: Tensor) -> Tensor:
        """[L, out] from what was shown, [L, *shape]."""
        if len(self.shape) == 3:
            shown = F.adaptive_avg_pool2d(shown.float() / 255, COARSE)
        return shown.flatten(1)
