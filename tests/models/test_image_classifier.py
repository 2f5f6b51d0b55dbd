"""A classifier of images: its temperature, further columns of labels, and weights of older runs."""

import pytest
import torch

from caudex import signals, trunks
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.specs import ImageSpec
from caudex.core.weights import load_weights
from caudex.models.image_classifier import ImageClassifier

SPEC = ImageSpec((1, 12, 12), ("a", "b", "c"), {"colour": ("blue", "red"), "size": ("large", "small")})


@pytest.fixture
def model():
    heads = {"labels": signals.Labels(3), "labels-colour": signals.Labels(2, column="colour")}
    return ImageClassifier(Learner(trunks.Conv(channels=1), heads), SPEC).eval()


@pytest.fixture
def images():
    return torch.randint(0, 256, (5, 1, 12, 12), dtype=torch.uint8)


def test_probabilities_are_those_of_logits_divided_by_the_temperature(model, images):
    before, logits = model.probabilities(images), model.logits(images)
    assert torch.equal(before, logits.softmax(1))
    model.temperature.fill_(0.5)
    assert torch.equal(model.logits(images), logits)
    assert torch.allclose(model.probabilities(images), (2 * logits).softmax(1))
    assert torch.equal(model.probabilities(images, batch_size=2).argmax(1), before.argmax(1))
    assert model.probabilities(images[:0]).shape == (0, 3)


def test_columns_that_were_learned_are_predicted_in_one_pass(model, images):
    assert model.columns == {"colour": ("blue", "red")}
    probabilities = model.signals["labels-colour"].logits(model.trunk, images).softmax(1)
    passes = []
    model.trunk.register_forward_hook(lambda *arguments: passes.append(1))
    predictions = model.predict_columns(images)
    assert len(passes) == 1
    assert predictions == {
        "colour": [(SPEC.columns["colour"][row.argmax()], pytest.approx(row.max().item())) for row in probabilities]
    }


def test_weights_of_older_runs_have_no_temperature(model):
    model.temperature.fill_(3.0)
    weights = model.state_dict()
    assert weights.pop("temperature") == 3
    heads = {"labels": signals.Labels(3), "labels-colour": signals.Labels(2, column="colour")}
    older = ImageClassifier(Learner(trunks.Conv(channels=1), heads), SPEC)
    load_weights(older, weights)
    assert older.temperature == 1
    weights.pop("signals.labels.head.bias")
    with pytest.raises(CaudexError, match="have nothing for signals"):
        load_weights(older, weights)
