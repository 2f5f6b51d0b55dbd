"""Next frame: what happens next in the video?"""

from __future__ import annotations

from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.signal import MIN_SQUARED_ERROR, Signal, SignalOutput
from caudex.core.trunk import Features
from caudex.trunks import Decoder, channels_of


class NextFrame(Signal):
    """What happens next? Predict the last frame of a window from those before it.

    The trunk encodes each frame on its own, so that it serves single images too; the head sees how the maps change
    and predicts what is added to the frame before. The error is 1 for one who copies that frame.
    Source: the squared error of Mathieu et al. 2016, equation 2, with p = 2. Batches hold `frames` [B, T, C, H, W].
    """

    needs = "frames"

    def __init__(self, before: int = 2):
        super().__init__()
        self.before = before

    def build(self, trunk):
        self.mix = nn.ModuleDict(
            {name: nn.Conv2d(self.before * width, width, 1) for name, width in trunk.widths.items()}
        )
        self.head = Decoder(trunk, channels_of(trunk), skips=True)

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        before, true = batch.frames[:, :-1], batch.frames[:, -1]
        if before.shape[1] != self.before:
            raise CaudexError(f"windows of {self.before + 1} frames are needed, not {before.shape[1] + 1}.")
        copied = (before[:, -1] - true).square().mean().clamp_min(MIN_SQUARED_ERROR)
        error = (self.predict(trunk, before) - true).square().mean()
        return SignalOutput(error / copied, {"squared error": error, "squared error of a copy": copied})

    def predict(self, trunk, before: Tensor) -> Tensor:
        """The next frame [B, C, H, W] of frames [B, T, C, H, W]."""
        layers = trunk(before.flatten(0, 1)).layers
        count = len(before)
        mixed = {name: mix(layers[name].unflatten(0, (count, -1)).flatten(1, 2)) for name, mix in self.mix.items()}
        return before[:, -1] + self.head(Features(None, mixed), before.shape[3:])
