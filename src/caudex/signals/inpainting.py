"""Inpainting: predict a part of the image that was cut out."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.collectives import mean_over_processes
from caudex.core.errors import CaudexError
from caudex.core.signal import MIN_SQUARED_ERROR, Signal, SignalOutput, frozen
from caudex.trunks import Conv, Decoder, channels_of

MASKS = ("centre", "random")


class Inpainting(Signal):
    """Predict a part of the image that was cut out.

    The hole is filled with the mean colour that the trunk standardises by; the error counts in the hole alone, divided by
    that of the mean colour. `mask="centre"` cuts out the middle square of half the side, `"random"` a
    rectangle of up to a quarter of the area anywhere, which teaches better features, since no border can be learned.
    With `adversarial`, a critic learns to tell fills from images, and the fill to deceive it: sharp instead of blurred.
    Source: Pathak et al. 2016, equations 1 to 3, where `adversarial` is 0.001.
    """

    def __init__(self, mask: str = "random", adversarial: float = 0.0):
        super().__init__()
        if mask not in MASKS:
            raise CaudexError(f"a mask {mask!r} is unknown; choose {' or '.join(MASKS)}.")
        self.mask, self.adversarial = mask, adversarial

    @classmethod
    def from_spec(cls, argument, spec):
        return cls(argument or "random")

    def build(self, trunk):
        channels = channels_of(trunk)
        self.head = Decoder(trunk, channels)
        if self.adversarial:
            self.critic = Conv(channels, width=8, norm="group")
            self.critic_head = nn.Linear(self.critic.width, 1)

    def chance_loss(self):
        return 1 - self.adversarial + (self.adversarial + 2) * math.log(2) if self.adversarial else 1.0

    def loss(self, trunk, batch):
        images = batch.images
        hole, mean = self.sample_hole(images), trunk.standardise.mean  # [B, 1, H, W], [C, 1, 1]
        fill = self.fill(trunk, torch.where(hole, mean, images))
        baseline = mean_over_processes(((mean - images).square() * hole).mean()).clamp_min(MIN_SQUARED_ERROR)
        error = ((fill - images).square() * hole).mean() / baseline
        if not self.adversarial:
            return SignalOutput(error)
        filled = torch.where(hole, fill, images)
        with frozen(self.critic), frozen(self.critic_head):
            adversarial_loss = F.softplus(-self.critic_logits(filled)).mean()
        real, fake = self.critic_logits(images), self.critic_logits(filled.detach())
        critic_loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        loss = (1 - self.adversarial) * error + self.adversarial * adversarial_loss + critic_loss
        return SignalOutput(loss, {"reconstruction_error": error, "critic_loss": critic_loss})

    def fill(self, trunk, masked: Tensor) -> Tensor:
        """Predictions [B, C, H, W], at every pixel, from images [B, C, H, W] with a hole."""
        return self.head(trunk(masked), masked.shape[2:])

    def critic_logits(self, images: Tensor) -> Tensor:
        return self.critic_head(self.critic(images).pooled)

    def sample_hole(self, images: Tensor) -> Tensor:
        """bool [B, 1, H, W], true in the hole."""
        count, (height, width), device = len(images), images.shape[2:], images.device
        if self.mask == "centre":
            size, corner = torch.full((count, 2), 0.5, device=device), torch.full((count, 2), 0.25, device=device)
        else:
            size = 0.25 + 0.25 * torch.rand(count, 2, device=device)  # shares of the sides
            corner = torch.rand(count, 2, device=device) * (1 - size)
        inside = [
            ((position >= low[:, None]) & (position < (low + length)[:, None]))
            for position, low, length in zip(
                [(torch.arange(side, device=device) + 0.5) / side for side in (height, width)],
                corner.unbind(1),
                size.unbind(1),
            )
        ]
        return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]
