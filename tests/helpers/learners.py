"""Signals that pull on one number, and learners of them."""

from functools import partial

import torch
from torch import nn
from torch.optim import SGD

from caudex.core.learner import Learner
from caudex.core.signal import Signal, SignalOutput
from caudex.trunks import Identity


class Pull(Signal):
    """The loss `slope * weight`: its gradient is `slope`. Silent while `says` is False."""

    def __init__(self, slope=1.0, groups=(), numbers=1):
        super().__init__()
        self.slope, self.extra_groups, self.active = slope, list(groups), True
        self.number = nn.Parameter(torch.zeros(numbers))

    def groups(self):
        return [{"params": [self.number]} | group for group in self.extra_groups]

    def loss(self, trunk, batch):
        return SignalOutput(self.slope * self.number.sum(), {"number": self.number.sum()}) if self.active else None


def make_learner(signals, optimizer=partial(SGD, lr=1.0), trunk=None, **settings):
    return Learner(trunk or Identity(1), signals, optimizer, **({"max_grad_norm": None} | settings))


def take_steps(learner, count=1):
    for _ in range(count):
        outputs = learner.step(dict.fromkeys(learner.signals))
    return outputs


def scalar_linear(value=0.0):
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, value)
    return module
