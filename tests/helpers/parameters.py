"""Parameters of given numbers, and steps of given gradients."""

import torch
from torch import nn


def parameter(*values):
    return nn.Parameter(torch.tensor(values))


def step_with_gradients(optimizer, **gradients):
    for weight, gradient in zip((p for group in optimizer.param_groups for p in group["params"]), gradients.values()):
        weight.grad = None if gradient is None else torch.tensor(gradient)
    optimizer.step()
