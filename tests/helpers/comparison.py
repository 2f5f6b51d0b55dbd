"""Whether tensors, and nested states of them, are equal bit for bit."""

import torch


def tensors_equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def states_equal(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(states_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(states_equal, one, other))
    return type(one) is type(other) and one == other
