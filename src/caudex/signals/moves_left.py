"""How long the game will still take."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput
from caudex.core.specs import GameSpec
from caudex.core.trunk import width_of


class MovesLeft(Signal):
    """Predict the number of moves to the end of the game, as a share of `max_moves`, by the Huber loss.

    Source: the moves-left head of Leela Chess Zero (Forstén 2020).
    """

    needs = "games"

    def __init__(self, max_moves: int):
        super().__init__()
        self.max_moves = max_moves

    @classmethod
    def arguments_from(cls, spec: GameSpec) -> dict:
        return {"max_moves": spec.max_moves}

    def build(self, trunk):
        self.head = nn.Linear(width_of(trunk), 1)

    def loss(self, trunk, batch):
        predicted, target = self.head(trunk(batch.planes).pooled).squeeze(1), batch.moves_left / self.max_moves
        error = self.max_moves * (predicted.detach() - target).abs().mean()
        return SignalOutput(F.huber_loss(predicted, target, delta=0.1), {"moves off": error})
