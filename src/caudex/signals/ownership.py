"""Whose each point of the board will be."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from caudex.core.errors import CaudexError
from caudex.core.signal import Signal, SignalOutput
from caudex.core.specs import GameSpec


class Ownership(Signal):
    """Predict who owns each point at the end of the game, 1 for the player to move and -1 for the opponent, by squared error.

    Source: Wu 2019, "Accelerating self-play learning in Go", section 4.1 (cross-entropy there).
    """

    needs = "games"

    @classmethod
    def arguments_from(cls, spec: GameSpec) -> dict:
        if not spec.has_ownership:
            raise CaudexError(f"--also ownership: nobody owns the points of {spec.game} at its end; leave it out.")
        return {}

    def build(self, trunk):
        self.head = nn.Sequential(nn.Conv2d(trunk.widths["map"], 1, 1), nn.Tanh())

    def loss(self, trunk, batch):
        predicted, target = self.head(trunk(batch.planes).layers["map"]).squeeze(1), batch.ownership.float()
        right = ((predicted * target) > 0).float().mean()
        return SignalOutput(F.mse_loss(predicted, target), {"right": right})
