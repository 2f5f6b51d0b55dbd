"""Segmentation, by hand."""

import math

import torch
from helpers.signals import output_for_answer
from pytest import approx

from caudex.signals.segmentation import Segmentation, mean_iou


def test_segmentation_by_hand():
    segments = torch.tensor([[[0, 1], [1, 1]]])
    output = output_for_answer(Segmentation(3), {"segments": segments}, torch.zeros(1, 3, 2, 2))
    assert output.loss.item() == approx(math.log(3)) == approx(Segmentation(3).chance_loss())
    logits = torch.tensor([[[[9.0, 9], [0, 0]], [[0, 0], [9, 9]], [[0, 0], [0, 0]]]])  # says 0 0 / 1 1
    output = output_for_answer(Segmentation(3), {"segments": segments}, logits)
    minimum = math.log(1 + 2 * math.exp(-9))
    assert output.loss.item() == approx(minimum + 9 / 4, rel=1e-5)  # one of four is wrong, by nine
    assert output.metrics["accuracy"].item() == approx(3 / 4)
    assert output.metrics["mean_iou"].item() == approx((1 / 2 + 2 / 3) / 2)  # the third is neither there nor told


def test_a_class_that_is_told_but_not_there_counts_as_wrong():
    predictions, segments = torch.tensor([[0, 2]]), torch.tensor([[0, 0]], dtype=torch.uint8)
    assert mean_iou(predictions, segments, 3).item() == approx((1 / 2 + 0) / 2)
