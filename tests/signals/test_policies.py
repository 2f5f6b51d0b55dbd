"""Policies: divergences are those of torch, and bounds are met exactly."""

import pytest
import torch
from torch import nn

from caudex.core.compute import count_flops
from caudex.core.specs import ActionSpec
from caudex.signals.policies import MLP, ActionScaler, Categorical, Gaussian, PolicyNetwork


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


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_a_perceptron_is_a_sequence_of_its_modules(activation):
    mlp, x = MLP((3, 8, 5, 2), activation), torch.randn(7, 3, requires_grad=True)
    plain = nn.Sequential(*mlp)
    with count_flops(mlp) as counter:
        outputs = mlp(x)
    assert torch.equal(outputs, plain(x)) and list(mlp.state_dict()) == list(plain.state_dict())
    assert counter.flops == 3 * 2 * 7 * (3 * 8 + 8 * 5 + 5 * 2)  # a pass that records gradients counts three times
    gradients = [torch.autograd.grad(net(x).sum(), [x, *mlp.parameters()]) for net in (mlp, plain)]
    assert all(torch.equal(a, b) for a, b in zip(*gradients))


def test_forbidden_actions_have_probability_zero_and_the_others_theirs():
    policy = PolicyNetwork(3 + 4, ActionSpec(4), mask_size=4)
    with torch.no_grad():
        policy.body[-1].weight.zero_()
        policy.body[-1].bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]).log())
    masks = torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]])
    masked = policy(torch.cat([torch.randn(3, 3), masks], 1))
    expected = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0, 1 / 3, 0, 2 / 3], [0, 0, 1, 0]])
    torch.testing.assert_close(masked.logits.exp(), expected)
    assert (masked.logits.exp()[masks == 0] == 0).all()
    theirs = torch.distributions.Categorical(probs=expected)
    torch.testing.assert_close(masked.entropy(), theirs.entropy(), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(masked.kl(masked), torch.zeros(3))
    assert all(masks.gather(1, masked.sample()[:, None]).all() for _ in range(1000))
    masked.entropy().sum().backward()
    assert policy.body[-1].bias.grad.isfinite().all()


def test_several_choices_are_independent():
    policy = PolicyNetwork(5, ActionSpec(counts=(2, 3)), mask_size=5)
    features = torch.tensor([[1.0, 1, 0, 1, 1]]).expand(2000, -1)
    choices = policy(features)
    theirs = [torch.distributions.Categorical(logits=choice.logits) for choice in choices.choices]
    actions = choices.sample()
    assert actions.shape == (2000, 2) and actions.amin(0).tolist() == [0, 1] and actions.amax(0).tolist() == [1, 2]
    log_probs = sum(each.log_prob(action) for each, action in zip(theirs, actions.T))
    torch.testing.assert_close(choices.log_prob(actions), log_probs)
    torch.testing.assert_close(choices.entropy(), sum(each.entropy() for each in theirs))
    assert choices.mode().shape == (2000, 2) and choices.kl(choices).abs().max() == 0
    assert torch.equal(policy.clip_actions(actions), actions)


def test_actions_without_bounds_are_not_clipped():
    policy = PolicyNetwork(1, ActionSpec(low=(None, -1.0), high=(None, 1.0)))
    assert policy.clip_actions(torch.tensor([[1e9, 1e9]])).tolist() == [[1e9, 1.0]]
