"""Depth, by hand."""

import math

import torch
from helpers.signals import output_for_answer
from pytest import approx

from caudex.signals.depth import Depth, relative_error, scale_invariant_error


def test_depth_by_hand():
    # errors 0 and 1 in one image: 1/2 - 1/2 * (1/2)^2; errors 2 and 2 in the other: 4 - 1/2 * 4
    predicted, true = torch.tensor([[[0.0, 1.0]], [[2.0, 2.0]]]), torch.zeros(2, 1, 2)
    assert scale_invariant_error(predicted, true).item() == approx((0.375 + 2) / 2)
    assert relative_error(torch.tensor([1.0, 6.0]), torch.tensor([2.0, 4.0])).item() == approx(0.5)
    depth = torch.tensor([[[1.0, math.e**2], [1, math.e**2]], [[math.e**2, 1], [1, 1]]])
    mean = depth.log().mean()
    output = output_for_answer(Depth(), {"depth": depth}, mean.expand(2, 1, 2, 2))
    assert output.loss.item() == approx(1) == approx(Depth().chance_loss())
    output = output_for_answer(Depth(), {"depth": depth}, depth.log()[:, None])
    assert output.loss.item() == approx(0)
    assert output.metrics["relative_error"].item() == approx(0)
    # twice too far everywhere counts half; the mean, 3/4, is wrong by 1/4 on average in one image and in the other
    output = output_for_answer(Depth(), {"depth": depth}, (2 * depth).log()[:, None])
    left = ((0.75**2 + 1.25**2) / 2 - 0.25**2 / 2 + (3 * 0.75**2 + 1.25**2) / 4 - 0.25**2 / 2) / 2
    assert output.loss.item() == approx(math.log(2) ** 2 / 2 / left, rel=1e-5)
    assert output.metrics["relative_error"].item() == approx(1)
