"""Samples and hold-outs have the counts of each class that they should."""

import torch
from hypothesis import given
from hypothesis import strategies as some

from caudex.data.stratified import apportion, class_counts, split_stratified, stratified_folds, stratified_sample


@given(
    some.lists(some.integers(-1, 3), min_size=20, max_size=60), some.lists(some.integers(0, 3), min_size=4, max_size=4)
)
def test_a_stratified_draw_has_the_counts_asked_for(labels, counts):
    labels = torch.tensor(labels)
    counts = [min(each, count) for each, count in zip(counts, class_counts(labels, "abcd"))]
    rows = stratified_sample(labels, counts, 0, "test")
    assert class_counts(labels[rows], "abcd") == counts
    assert torch.equal(rows, rows.unique())


@given(some.lists(some.integers(1, 1000), min_size=1, max_size=20), some.floats(0, 1))
def test_shares_sum_to_the_total_and_are_proportional(counts, share):
    total = round(sum(counts) * share)
    parts = apportion(counts, total)
    assert sum(parts) == total
    assert all(abs(part - count * total / sum(counts)) < 1 for part, count in zip(parts, counts))


@given(some.lists(some.integers(0, 4), min_size=1, max_size=60), some.floats(0.05, 0.5), some.integers(0, 99))
def test_a_hold_out_has_some_of_each_class_and_never_all(labels, share, seed):
    labels = torch.tensor(labels)
    train, held_out = split_stratified(labels, share, seed, "test")
    assert sorted([*train.tolist(), *held_out.tolist()]) == list(range(len(labels)))
    for k in labels.unique():
        count, held = (labels == k).sum().item(), (labels[held_out] == k).sum().item()
        assert held == 0 if count == 1 else abs(held - max(1, count * share)) <= 0.5 and held < count
    assert torch.equal(held_out, split_stratified(labels, share, seed, "test")[1])


@given(some.lists(some.integers(0, 4), min_size=1, max_size=60), some.integers(2, 4), some.integers(0, 99))
def test_folds_share_each_class_out_and_leave_single_examples_in_none(labels, num_folds, seed):
    labels = torch.tensor(labels)
    folds = stratified_folds(labels, num_folds, seed, "test")
    rows = torch.cat(folds)
    assert len(folds) == num_folds and len(rows) == len(rows.unique())
    for k in labels.unique():
        count, parts = (labels == k).sum().item(), [(labels[fold] == k).sum().item() for fold in folds]
        assert sum(parts) == (count if count > 1 else 0)
        assert max(parts) - min(parts) <= 1 and max(parts) < max(2, count)
