"""supervised learns digits."""

from dataclasses import replace

from helpers.trainings import train

from caudex.core.system import system_at_scale


def test_supervised_learns_digits(tmp_path):
    system = replace(system_at_scale("supervised"), steps=150, width=12, labels_per_class=25)
    model, _ = train(system, tmp_path)
    assert model.accuracy(system.load_split().test) > 0.9
