"""Recurrent and causal trunks: a trial in one call is the trial step by step."""

import pytest
import torch
from torch import nn

from caudex.core.compute import count_flops
from caudex.experience import StatefulTrunk
from caudex.trunks import GRU, CausalTransformer, Identity, PaddedSequences, Recurrent

CORES = pytest.mark.parametrize("core", [GRU, CausalTransformer])


def test_the_gru_goes_back_as_torch_does():
    torch.manual_seed(0)
    core, x = GRU(3, 4).double(), torch.randn(2, 5, 3, dtype=torch.double, requires_grad=True)
    for weight in core.parameters():
        nn.init.uniform_(weight, -0.5, 0.5)
    inputs, output_gradient = [x, *core.parameters()], torch.randn(2, 5, 4, dtype=torch.double)
    passed, theirs = core(x)[0], nn.GRU.forward(core, x)[0]
    assert "GRUFunction" in passed.grad_fn.next_functions[0][0].name()
    for gradient, other in zip(
        *(torch.autograd.grad(each, inputs, output_gradient) for each in (passed, theirs)), strict=True
    ):
        torch.testing.assert_close(gradient, other)
    assert torch.autograd.gradgradcheck(lambda x, *weights: core(x)[0], inputs)  # trpo asks for it


@CORES
def test_a_trial_in_one_call_is_the_trial_step_by_step(core):
    trunk, x = Recurrent(Identity(3), 8, core), torch.randn(2, 70, 3)  # attention has room for 64 at first
    within = StatefulTrunk(trunk)
    with torch.no_grad():
        steps = torch.stack([within(x[:, t]).pooled for t in range(70)], 1)
    torch.testing.assert_close(trunk(x).pooled, steps)
    other = x.clone()
    other[:, 60] += 1
    changed = trunk(other).pooled
    assert (changed[:, -1] != steps[:, -1]).any()  # that step is remembered to the last
    torch.testing.assert_close(changed[:, :60], steps[:, :60])  # and unknown to those before it


@CORES
def test_padding_is_never_seen(core):
    trunk, x = Recurrent(Identity(3), 8, core), torch.randn(2, 6, 3)
    pooled = trunk(PaddedSequences(x, torch.tensor([2, 6]))).pooled
    torch.testing.assert_close(pooled, torch.cat([trunk(x[:1, :2]).pooled[0], trunk(x[1:]).pooled[0]]))


@CORES
def test_operations_of_a_trial_are_those_of_its_matrices(core):
    trunk = Recurrent(Identity(3), 8, core)
    with count_flops(trunk) as counter, torch.no_grad():
        trunk(torch.randn(2, 7, 3))
    by_hand = {
        GRU: 6 * 7 * 8 * (3 + 8),
        CausalTransformer: 2 * 7 * 2 * 3 * 8 + 2 * (2 * 7 * 12 * 8**2 + 4 * 7 * 7 * 8),
    }[core]
    assert counter.flops == 2 * by_hand == 2 * trunk.flops((7, 3))
