"""A residual block with silent branches is the identity."""

import torch
from torch import nn

from caudex.trunks import ResNet


def test_a_residual_block_with_silent_branches_is_the_identity():
    trunk = ResNet(1, width=4, depth=2).eval()
    block = trunk.stages[0][1]
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(x), x)
