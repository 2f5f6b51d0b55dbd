"""two-heads learns labels and a further signal together."""

from dataclasses import replace

import pytest
import torch
from helpers.trainings import quiet_run

from caudex.core.errors import CaudexError
from caudex.core.specs import ImageSpec
from caudex.core.system import system_at_scale
from caudex.data import ImageSet, InMemoryImages, Split


def test_two_heads_learn_together_and_the_second_can_be_another_column_of_labels(tmp_path):
    rows = torch.arange(200)
    images = torch.zeros(200, 1, 8, 8, dtype=torch.uint8)
    images[rows % 2 == 0, :, :4] = 255  # the upper half: label
    images[rows % 4 < 2, :, :, :4] = 128  # the left half: column
    store = InMemoryImages(images, [str(i) for i in range(200)])
    columns = {"left": ((rows % 4 < 2).long(), ("no", "yes"))}
    labelled = ImageSet(store, rows % 2, ("a", "b"), columns)
    split = Split(
        labelled.take(slice(0, 100)), labelled.take(slice(100, 150)).without_labels(), labelled.take(slice(150, 200))
    )
    system = replace(
        system_at_scale("two-heads", "tiny"), also=("labels:left", "rotation:0.5"), steps=60, magnitude=0.0, dropout=0.0
    )
    net = system.fit_labels(quiet_run(tmp_path), split, steps=60)
    assert set(net.signals) == {"labels", "labels-left", "rotation"}
    assert net.signals["rotation"].weight == 0.5
    test = split.test.fetch(slice(None))
    left = net.signals["labels-left"].logits(net.trunk, test).argmax(1)
    assert net.accuracy(split.test) > 0.9
    assert (left == split.test.columns["left"][0]).float().mean() > 0.9


def test_also_refuses_what_it_does_not_know():
    spec = ImageSpec((1, 8, 8), ("a", "b"), {"colour": ("red", "blue")})
    with pytest.raises(CaudexError, match="Did you mean rotation"):
        replace(system_at_scale("supervised"), also=("rotaton",)).extra_signals(spec)
    with pytest.raises(CaudexError, match="known: labels:colour"):
        replace(system_at_scale("supervised"), also=("labels:shape",)).extra_signals(spec)
    with pytest.raises(CaudexError, match="weight must be positive"):
        replace(system_at_scale("supervised"), also=("rotation:-1",)).extra_signals(spec)
    assert set(replace(system_at_scale("supervised"), also=("labels:colour:0.2",)).extra_signals(spec)) == {
        "labels-colour"
    }
