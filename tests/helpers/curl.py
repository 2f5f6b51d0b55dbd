"""Batches of images and a source of one of them."""

import torch

from caudex.core.source import Source
from caudex.experience import Transition


def random_transition(batch=6):
    frames = torch.randint(0, 256, (2, batch, 3, 24, 24), dtype=torch.uint8)
    return Transition(
        frames[0], torch.rand(batch, 1), torch.rand(batch), frames[1], torch.ones(batch), None, torch.arange(batch)
    )


class RepeatedBatch(Source):
    """A source of one batch, again and again."""

    samples_seen = 0

    def __init__(self, batch):
        self.batch = batch

    def __next__(self):
        return self.batch
