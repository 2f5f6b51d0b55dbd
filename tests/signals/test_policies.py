"""Policies: divergences are those of torch, and bounds are met exactly."""

import torch

from caudex.core.specs import ActionSpec
from caudex.signals.policies import ActionScaler, Categorical, Gaussian


def test_divergences_are_those_of_torch():
    one, other = (Categorical(torch.randn(4, 3).log_softmax(1)) for _ in range(2))
    theirs = [torch.distributions.Categorical(logits=each.logits) for each in (one, other)]
    torch.testing.assert_close(one.kl(other), torch.distributions.kl_divergence(*theirs))
    one, other = (Gaussian(torch.randn(4, 3), torch.randn(3)) for _ in range(2))
    theirs = [torch.distributions.Normal(each.mean, each.log_std.exp()) for each in (one, other)]
    torch.testing.assert_close(one.kl(other), torch.distributions.kl_divergence(*theirs).sum(1))
    torch.testing.assert_close(one.entropy(), theirs[0].entropy().expand(4, 3).sum(1))


def test_bounds_are_met_exactly_and_undone():
    bounds = ActionScaler(
        ActionSpec(
            low=(
                -0.4,
                0.1,
            ),
            high=(
                0.4,
                1234.567,
            ),
        )
    )
    ends = bounds.unscale(torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    assert torch.equal(ends, torch.stack([bounds.low, bounds.high]))
    units = torch.rand(100, 2) * 2 - 1
    assert torch.allclose(bounds.scale(bounds.unscale(units)), units, atol=1e-5)
    wild = bounds.sample(4000)
    assert wild.dtype == torch.float32
    assert (wild >= bounds.low).all()
    assert (wild <= bounds.high).all()
    assert torch.allclose(bounds.scale(wild).mean(0), torch.zeros(2), atol=0.05)
    assert torch.allclose(bounds.scale(wild).var(0), torch.full((2,), 1 / 3), atol=0.03)
