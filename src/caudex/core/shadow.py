"""A slow or frozen copy of a module: momentum encoder, target network, teacher, averaged weights."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn


class Shadow(nn.Module):
    """Follows `module`: after each step, weights become `decay * shadow + (1 - decay) * online`; buffers are copied.

    `decay=0, interval=1000` is DQN's target network (Mnih et al. 2015), `decay=0.995` SAC's (Haarnoja et al. 2018),
    `decay=0.999` MoCo's key encoder (He et al. 2020, equation 2). `warmup=True` lowers the decay at first to
    (1 + t) / (10 + t), so that averaged weights forget their random start. Calling a shadow never records gradients.
    """

    def __init__(self, module: nn.Module, decay: float = 0.999, interval: int = 1, warmup: bool = False):
        super().__init__()
        self.copy = deepcopy(module).requires_grad_(False)
        self.online = (module,)  # in a tuple: the module stays the learner's, not ours
        self.decay, self.interval, self.warmup = decay, interval, warmup
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.train()

    def forward(self, *args, **kwargs):
        with torch.no_grad():
            return self.copy(*args, **kwargs)

    @torch.no_grad()
    def update(self) -> None:
        """The learner calls this once after each step."""
        count = int(self.updates.add_(1))
        if count % self.interval:
            return
        decay = min(self.decay, (1 + count) / (10 + count)) if self.warmup else self.decay
        (module,) = self.online
        shadow_weights, weights = list(self.copy.parameters()), list(module.parameters())
        if shadow_weights:
            torch._foreach_lerp_(shadow_weights, weights, 1 - decay)
        for old, new in zip(self.copy.buffers(), module.buffers()):
            old.copy_(new)

    def train(self, mode: bool = True):
        """A shadow normalises by its copied statistics, also while the learner trains."""
        return super().train(False)
