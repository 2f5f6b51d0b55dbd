"""What advise says of methods that chance explains, and how to begin with each."""

from collections import Counter

import pytest

from caudex.evaluation.learning_curve import Forecast
from caudex.reports.advise import advice_sentences
from caudex.systems.studies.advise import Advice, MethodTrials


def advice_of(low, high, best="label spreading"):
    forecast = Forecast(0.6, (low, high), 0.7, (0.5, 0.8), 0.1, (-0.02, 0.2))
    return Advice({best: MethodTrials([], Counter())}, {best: forecast}, best, ("cat", "dog"), 20, 0.5)


@pytest.mark.parametrize(
    ("low", "high", "sentence"),
    [
        (0.3, 0.5, "No method is better than one class for all (50%)"),
        (0.4, 0.8, "Few labels do not show whether it is better than one class for all (50%)"),
    ],
)
def test_a_method_that_chance_explains_is_not_praised(low, high, sentence):
    assert sentence in " ".join(advice_sentences(advice_of(low, high), "", 0, 50, "--data photos"))
    assert "one class" not in " ".join(advice_sentences(advice_of(0.55, 0.8), "", 0, 50, "--data photos"))


def test_pixels_have_no_features_to_embed():
    on_features = advice_sentences(advice_of(0.6, 0.8), "", 0, 50, "--data photos")[0]
    assert on_features.startswith("Begin with label spreading: caudex embed photos --to features.npy")
    on_pixels = advice_sentences(advice_of(0.6, 0.8), "", 0, 50, "--data digits", on_pixels=True)[0]
    assert "on pixels" in on_pixels and "embed" not in on_pixels
