"""Which images to label next, by hand."""

import torch

from caudex.evaluation.acquisition import core_set, least_margins, weighted_centres


def test_the_least_decided_come_first():
    probabilities = torch.tensor([[0.9, 0.1, 0.0], [0.4, 0.35, 0.25], [0.5, 0.5, 0.0], [0.6, 0.2, 0.2]])
    assert least_margins(probabilities, 3).tolist() == [2, 1, 3]
    assert least_margins(probabilities, 9).tolist() == [2, 1, 3, 0]  # no more than there are


def on_circle(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], 1)


def test_a_core_set_takes_the_farthest_from_all_before():
    features = on_circle(0, 5, 90, 110, 180)
    assert core_set(features, on_circle(10), 3).tolist() == [4, 2, 3]  # 170 degrees away, then 80, then 20
    assert core_set(5 * features, on_circle(10), 2).tolist() == [4, 2]  # lengths do not count
    first, *rest = core_set(features, features[:0], 9).tolist()
    assert first == 2 and sorted([first, *rest]) == [0, 1, 2, 3, 4]  # the nearest to the mean; each once


def test_what_is_labelled_already_is_never_chosen_twice():
    features = on_circle(0, 0, 0, 90)
    assert core_set(features, on_circle(0), 2).tolist()[0] == 3
    assert len(set(core_set(features, on_circle(0), 4).tolist())) == 4


def test_both_together_take_undecided_images_of_all_kinds_and_typical_of_them():
    # three kinds of image; the model is undecided of all of the first two, and sure of the third
    features = torch.cat([on_circle(*range(31)), on_circle(*range(120, 151)), on_circle(*range(240, 271))])
    first = torch.cat([torch.full((62,), 0.5), torch.full((31,), 1.0)])
    rows = weighted_centres(torch.stack([first, 1 - first], 1), features, 2)
    assert sorted(rows.tolist()) == [15, 31 + 15]  # the middle of each
    assert len(set(weighted_centres(torch.stack([first, 1 - first], 1), features, 200).tolist())) == 93
    assert len(set(weighted_centres(torch.full((5, 2), 0.5), torch.ones(5, 3), 3).tolist())) == 3  # all equal
