"""Trunks, heads and batches whose answers are known, to try signals with."""

from types import SimpleNamespace

import torch
from torch import nn
from torch.optim import Adam

from caudex.core.trunk import Features, Trunk
from caudex.data import Batch
from caudex.data.video.video_set import VideoBatch
from caudex.trunks import ResNet, Standardise


class RecordingTrunk(Trunk):
    """Remembers the images it is shown; its features are what `encode` makes of them."""

    def __init__(self, encode, width, channels=1):
        super().__init__()
        self.standardise, self.encode, self.width, self.images = Standardise(channels), encode, width, []

    def forward(self, x, state=None):
        self.images.append(x)
        return Features(self.encode(self.standardise(x)))


class ConstantHead(nn.Module):
    """A head that says the same whatever it is asked."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, features, size):
        return self.answer


def unlabelled_batch(images):
    return Batch(images, torch.full((len(images),), -1), torch.arange(len(images)))


def unlabelled_windows(frames):
    return VideoBatch(frames, torch.full((len(frames),), -1), torch.arange(len(frames)))


def build_signal(signal, channels=1, **settings):
    trunk = ResNet(channels, 4, 1, **settings)
    signal.build(trunk)
    return signal, trunk


def zero_decoder(signal):
    """The same signal, whose decoder says 0 everywhere."""
    nn.init.zeros_(signal.head.pixel_head[-1].weight)
    nn.init.zeros_(signal.head.pixel_head[-1].bias)
    return signal


def train_on_batch(signal, trunk, given, steps, lr):
    """What the signal says after so many steps on one batch."""
    optimizer = Adam([*signal.parameters(), *trunk.parameters()], lr=lr)
    for _ in range(steps):
        output = signal.loss(trunk, given)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
    return signal.loss(trunk, given)


def output_for_answer(signal, batch, answer):
    """What the signal says of a head that answers so, whatever the trunk sees."""
    signal.head = lambda features, size: answer
    return signal.loss(lambda images: None, SimpleNamespace(images=torch.zeros(len(answer), 3, 2, 2), **batch))
