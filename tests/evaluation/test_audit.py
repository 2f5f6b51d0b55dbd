"""An audit is unbiased, its interval covers, and it needs fewer labels than drawing at random."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from caudex.evaluation.audit import confidence_strata, draw_audit, estimate_accuracy
from caudex.evaluation.intervals import wilson_interval


def population(seed, size=2000, overconfident=0.0):
    """Confidences [N], mostly high, and whether the predictions are right [N]."""
    generator = torch.Generator().manual_seed(seed)
    confidence = 0.3 + 0.7 * torch.rand(size, generator=generator) ** 0.3
    return confidence, torch.rand(size, generator=generator) < (confidence - overconfident).clamp(0, 1)


@pytest.mark.parametrize("overconfident", [0.0, 0.1])
def test_the_interval_covers_and_is_narrower_than_of_random_labels(overconfident):
    errors, covered, widths, random_widths = [], 0, [], []
    for seed in range(100):
        confidence, is_right = population(seed, overconfident=overconfident)
        truth = is_right.double().mean().item()
        rows = draw_audit(confidence, 50, seed)
        estimate = estimate_accuracy(confidence, rows, is_right[rows])
        errors.append(estimate.accuracy - truth)
        covered += estimate.low <= truth <= estimate.high
        widths.append(estimate.high - estimate.low)
        random_rows = torch.randperm(2000, generator=torch.Generator().manual_seed(seed))[:50]
        low, high = wilson_interval(is_right[random_rows].double().mean().item(), 50)
        random_widths.append(high - low)
    assert 91 <= covered <= 99
    assert abs(np.mean(errors)) < 2 * np.std(errors) / 10  # no bias beyond two standard errors
    assert np.mean(widths) < 0.95 * np.mean(random_widths)


def test_by_hand_with_all_labelled_it_is_the_accuracy():
    confidence, is_right = population(0, size=40)
    estimate = estimate_accuracy(confidence, torch.arange(40), is_right)
    assert estimate.accuracy == pytest.approx(is_right.double().mean().item())
    assert estimate.high - estimate.low < 1e-6 or estimate.low <= estimate.accuracy <= estimate.high


def test_strata_are_of_rising_confidence_and_finer_where_it_is_low():
    confidence, _ = population(1)
    strata = confidence_strata(confidence)
    bounds = [confidence[strata == h].aminmax() for h in range(int(strata.max()) + 1)]
    assert all(before.max <= after.min for before, after in zip(bounds, bounds[1:]))
    sizes = strata.bincount()
    assert len(sizes) == 4 and sizes[-1] == sizes.max()


def test_a_beginning_of_the_draw_is_a_draw():
    confidence, _ = population(2)
    rows = draw_audit(confidence, 60, seed=3)
    assert len(rows.unique()) == 60 and torch.equal(rows, draw_audit(confidence, 60, seed=3))
    strata = confidence_strata(confidence)[rows]
    assert strata[:30].bincount().float() == pytest.approx(strata.bincount().float() / 2, abs=6)


CONFIDENCES = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.9, 0.97, 1.0]) | st.floats(0, 1), min_size=1, max_size=60)


@given(confidence=CONFIDENCES.map(torch.tensor), count=st.integers(1, 70), seed=st.integers(0, 9))
def test_as_many_are_drawn_as_were_asked_for(confidence, count, seed):
    rows = draw_audit(confidence, count, seed)
    assert len(rows) == len(rows.unique()) == min(count, len(confidence))
    estimate = estimate_accuracy(confidence, rows, torch.ones(len(rows), dtype=torch.bool))
    assert 0 <= estimate.low <= estimate.accuracy <= estimate.high <= 1
