"""Next frame: predict the next frame of a video."""

from __future__ import annotations

from torch import Tensor, nn

from caudex.core.collectives import mean_over_processes
from caudex.core.errors import CaudexError
from caudex.core.signal import MIN_SQUARED_ERROR, Signal, SignalOutput
from caudex.core.trunk import Features
from caudex.trunks import Decoder, channels_of


class NextFrame(Signal):
    """Predict the last frame of a window from those before it.

    The trunk encodes each frame on its own, so that it serves single images too; the head sees how the maps change
    and predicts what is added to the frame before. The error is divided by that of a copy of that frame.
    Source: the squared error of Mathieu et al. 2016, equation 2, with p = 2. Batches hold `frames` [B, T, C, H, W].
    """

    needs = "frames"

    def __init__(self, context_frames: int = 2):
        super().__init__()
        self.context_frames = context_frames

    def build(self, trunk):
        self.mix = nn.ModuleDict(
            {name: nn.Conv2d(self.context_frames * width, width, 1) for name, width in trunk.widths.items()}
        )
        self.head = Decoder(trunk, channels_of(trunk), skips=True)

    def chance_loss(self):
        return 1.0

    def loss(self, trunk, batch):
        context, target = batch.frames[:, :-1], batch.frames[:, -1]
        if context.shape[1] != self.context_frames:
            raise CaudexError(f"windows of {self.context_frames + 1} frames are needed, not {context.shape[1] + 1}.")
        copy_error = mean_over_processes((context[:, -1] - target).square().mean()).clamp_min(MIN_SQUARED_ERROR)
        error = (self.predict(trunk, context) - target).square().mean()
        return SignalOutput(error / copy_error, {"squared error": error, "squared error of a copy": copy_error})

    def predict(self, trunk, context: Tensor) -> Tensor:
        """The next frame [B, C, H, W] of frames [B, T, C, H, W]."""
        layers = trunk(context.flatten(0, 1)).layers
        count = len(context)
        mixed = {name: mix(layers[name].unflatten(0, (count, -1)).flatten(1, 2)) for name, mix in self.mix.items()}
        return context[:, -1] + self.head(Features(None, mixed), context.shape[3:])
