"""What a search found to be good moves."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.signal import Signal, SignalOutput, accuracy
from caudex.core.specs import GameSpec

ILLEGAL = -1e9
"""logit of an action that is not legal"""


class SearchPolicy(Signal):
    """Predict the search's policy [B, A] by cross-entropy over the legal actions. The target is always that of temperature 1.

    The head is a convolution of one place with `filters` channels and a linear layer; `shape` [C, H, W] is that of the planes.
    Source: Silver et al. 2017, equation 1 and "Neural network architecture".
    """

    needs = "games"

    def __init__(self, num_actions: int, shape: tuple[int, int, int], filters: int = 2):
        super().__init__()
        self.num_actions, self.places, self.filters = num_actions, shape[1] * shape[2], filters

    @classmethod
    def arguments_from(cls, spec: GameSpec) -> dict:
        return {"num_actions": spec.num_actions, "shape": spec.shape}

    def build(self, trunk):
        conv = nn.Conv2d(trunk.widths["map"], self.filters, 1, bias=False)
        linear = nn.Linear(self.filters * self.places, self.num_actions)
        self.head = nn.Sequential(conv, nn.BatchNorm2d(self.filters), nn.ReLU(), nn.Flatten(), linear)

    def logits(self, features) -> Tensor:
        """[B, A], of all actions, legal or not."""
        return self.head(features.layers["map"])

    def loss(self, trunk, batch):
        logits = self.logits(trunk(batch.planes)).float().masked_fill(~batch.legal, ILLEGAL)
        loss = F.cross_entropy(logits, batch.policy)
        entropy = -(batch.policy * batch.policy.clamp_min(1e-12).log()).sum(1).mean()  # the least that the loss can be
        agreement = accuracy(logits, batch.policy.argmax(1))
        return SignalOutput(loss, {"divergence": loss.detach() - entropy, "agreement": agreement})
