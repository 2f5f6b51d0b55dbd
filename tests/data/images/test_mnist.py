"""MNIST as a public package has it."""

import pytest
import torch

from caudex.data import load_images


@pytest.fixture(scope="module")
def mnist():
    return load_images("mnist")


def test_ten_thousand_digits_and_always_the_same_test(mnist):
    assert mnist.labelled.shape == (1, 28, 28)
    assert len(mnist.labelled) == 8000 and len(mnist.test) == 2000
    counts = torch.cat([mnist.labelled.labels, mnist.test.labels]).bincount()
    assert counts.sum() == 10_000 and counts.min() > 850
    assert mnist.test.labels.bincount().min() > 170
    pixels = mnist.test.fetch(slice(None))
    assert pixels.max() == 255 and 0.1 < pixels.float().mean() / 255 < 0.16  # 0.13 of MNIST
