"""Who will win."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput
from caudex.core.specs import GameSpec


class GameValue(Signal):
    """Predict the value [B] of the game for the player to move, from -1 to 1, by squared error.

    The head is a convolution of one place with one channel, a hidden layer and tanh; `shape` [C, H, W] is that of the planes.
    Source: Silver et al. 2017, equation 1 and "Neural network architecture".
    """

    needs = "games"

    def __init__(self, shape: tuple[int, int, int], hidden: int = 64):
        super().__init__()
        self.places, self.hidden = shape[1] * shape[2], hidden

    @classmethod
    def arguments_from(cls, spec: GameSpec) -> dict:
        return {"shape": spec.shape}

    def build(self, trunk):
        conv = nn.Conv2d(trunk.widths["map"], 1, 1, bias=False)
        layers = nn.Linear(self.places, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 1), nn.Tanh()
        self.head = nn.Sequential(conv, nn.BatchNorm2d(1), nn.ReLU(), nn.Flatten(), *layers)

    def value(self, features) -> Tensor:
        """[B]"""
        return self.head(features.layers["map"]).squeeze(1)

    def loss(self, trunk, batch):
        loss = F.mse_loss(self.value(trunk(batch.planes)), batch.value)
        return SignalOutput(loss, {"error": loss.detach(), "variance": batch.value.var(correction=0)})
