"""Placement of learners on devices."""

import torch

from caudex.core.placement import flush_denormals


def test_training_flushes_denormals_and_nothing_else_does():
    tiny = torch.tensor([1e-30])
    with flush_denormals():
        assert float(tiny * 1e-10) == 0
    assert float(tiny * 1e-10) > 0
