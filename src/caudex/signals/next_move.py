"""What will be played next but one."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput
from caudex.core.specs import GameSpec
from caudex.core.trunk import width_of


class NextMove(Signal):
    """Predict the search's policy [B, A] in the position after this one, by cross-entropy; the last position of a game has none.

    Source: Wu 2019, "Accelerating self-play learning in Go", section 3.4.
    """

    needs = "games"

    def __init__(self, num_actions: int):
        super().__init__()
        self.num_actions = num_actions

    @classmethod
    def arguments_from(cls, spec: GameSpec) -> dict:
        return {"num_actions": spec.num_actions}

    def build(self, trunk):
        self.head = nn.Linear(width_of(trunk), self.num_actions)

    def loss(self, trunk, batch):
        losses = F.cross_entropy(self.head(trunk(batch.planes).pooled), batch.next_policy, reduction="none")
        return SignalOutput(losses.sum() / batch.next_policy.sum().clamp_min(1), {})
