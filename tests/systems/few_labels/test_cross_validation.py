"""The temperature is fitted to labels that its networks did not learn from, and never to the test."""

from types import SimpleNamespace

import pytest
import torch
from helpers.trainings import quiet_run

from caudex.data import ImageSet, InMemoryImages, Split
from caudex.systems.few_labels.cross_validation import calibrate, calibration_warning


@pytest.fixture
def split():
    """Forty labelled images, of which the first is the only one of its class; their pixels are their numbers."""
    images = torch.arange(60, dtype=torch.uint8).reshape(60, 1, 1, 1).expand(60, 1, 4, 4).contiguous()
    labels = torch.cat([torch.tensor([2]), torch.arange(39) % 2, torch.full((20,), -1)])
    images = ImageSet(InMemoryImages(images, [str(i) for i in range(60)]), labels, ("a", "b", "c"))
    return Split(images.take(slice(0, 40)), images.take(slice(40, 50)), images.take(slice(50, 60)))


class FixedLogits:
    """(4, 0, 0) for each image, and which images it was asked about."""

    def __init__(self):
        self.rows = []

    def logits(self, images):
        self.rows += images.fetch(slice(None))[:, 0, 0, 0].tolist()
        return torch.tensor([[4.0, 0.0, -9.0]]).expand(len(images), 3)


def test_each_label_is_predicted_by_a_network_that_did_not_learn_from_it(split, tmp_path):
    run, fits, networks = quiet_run(tmp_path), [], []

    def refit(stage, remaining, *, flops):
        fits.append(
            (stage.name, remaining.labelled.fetch(slice(None))[:, 0, 0, 0].tolist(), flops, len(remaining.test))
        )
        networks.append(FixedLogits())
        return networks[-1]

    run.stage("whole").write_json("finished", {"flops": 4000.0})
    classifier = SimpleNamespace(temperature=torch.ones(()))
    calibration = calibrate(run, classifier, split, "whole", refit)
    assert [name for name, *_ in fits] == ["calibration-1", "calibration-2"]
    for (_, learned, flops, tested), network in zip(fits, networks):
        assert sorted(learned + network.rows) == list(range(40))  # each is in one of the two, the test in none
        assert 0 in learned  # the only one of its class
        assert flops == pytest.approx(4000 * len(learned) / 40)  # as many epochs
        assert tested == 0
    assert sorted(networks[0].rows + networks[1].rows) == list(range(1, 40))
    assert calibration == {"labels": 39, "temperature": pytest.approx(classifier.temperature.item())}
    assert classifier.temperature > 4  # half of them are of the first class, of which the networks are sure


def test_too_few_labels_leave_the_confidences_as_they_are(split, tmp_path):
    run, classifier = quiet_run(tmp_path), SimpleNamespace(temperature=torch.ones(()))
    run.stage("whole").write_json("finished", {"flops": 4000.0})
    few = Split(split.labelled.take(slice(0, 11)), split.unlabelled, split.test)
    calibration = calibrate(run, classifier, few, "whole", None)
    assert (calibration, classifier.temperature) == ({"labels": 10}, 1)
    assert "10 labels, of classes that have two, are too few" in calibration_warning({"calibration": calibration})[0]
    assert calibration_warning({}) == calibration_warning({"calibration": {"labels": 20, "temperature": 2.0}}) == []
