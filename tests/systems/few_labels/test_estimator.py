"""The estimator keeps scikit-learn's contract, and learns from images, paths and vectors."""

import pickle
import warnings

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images, make_blobs
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from caudex.core.errors import CaudexError
from caudex.systems.few_labels.estimator import CaudexClassifier

QUICK = {"steps": 40, "rounds": 2, "random_state": 0}


def few_labelled_digits(count, train=600):
    """Rows of digits, `count` labelled of each class; and 600 others."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(X))
    X, y = X[order], y[order]
    few = np.full(train, -1)
    for digit in range(10):
        rows = np.flatnonzero(y[:train] == digit)[:count]
        few[rows] = digit
    return X[:train], few, X[train : train + 600], y[train : train + 600]


@pytest.mark.parametrize("trunk", ["auto", "linear"])
def test_it_keeps_scikit_learns_contract(trunk):
    expected = {"check_classifiers_classes": "-1 is no class but says that there is no label"}
    if trunk == "linear":  # of two numbers it sees the direction alone
        expected["check_classifiers_train"] = "vectors are brought to one length"
    estimator = CaudexClassifier(steps=60, rounds=1, trunk=trunk)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_fail=None, on_skip=None, expected_failed_checks=expected)
    status = {result["check_name"]: (result["status"], result["exception"]) for result in results}
    assert {name: row for name, row in status.items() if row[0] == "failed"} == {}
    assert len(status) > 40


def test_unlabelled_vectors_help():
    X, few, test, truth = few_labelled_digits(count=1)
    student = CaudexClassifier(steps=150, rounds=5, random_state=0).fit(X, few)
    alone = CaudexClassifier("supervised", steps=900, random_state=0).fit(X, few)
    assert student.score(test, truth) > alone.score(test, truth) + 0.08


def test_a_grid_search_in_a_pipeline_scores_what_is_labelled():
    X, few, test, truth = few_labelled_digits(count=6)
    pipeline = make_pipeline(StandardScaler(), CaudexClassifier("supervised", steps=100, random_state=0))
    search = GridSearchCV(pipeline, {"caudexclassifier__lr": [1e-7, 3e-3]}, cv=3).fit(X, few)
    assert search.best_params_ == {"caudexclassifier__lr": 3e-3}
    assert search.cv_results_["mean_test_score"][1] > 0.6  # nine of ten rows are -1, which would count as wrong
    assert search.score(test, truth) > 0.6


@pytest.mark.parametrize("kind", ["bytes", "floats", "paths"])
def test_images_in_any_form_give_the_same_predictions(tmp_path, kind, cuts):
    images, labels = cuts
    inputs = {"bytes": images, "floats": images / 255.0}.get(kind)
    if inputs is None:
        inputs = []
        for number, image in enumerate(images):
            Image.fromarray(image).save(path := tmp_path / f"{number}.png")
            inputs.append(str(path))
    few = np.where(np.arange(len(labels)) < 20, labels, -1)
    settings = QUICK | {"settings": {"width": 8}, "rounds": 1}
    estimator = CaudexClassifier(trunk="small", **settings).fit(inputs, few)
    reference = CaudexClassifier(trunk="small", **settings).fit(images, few)
    assert np.array_equal(estimator.predict_proba(inputs), reference.predict_proba(images))
    assert estimator.score(inputs, labels) > 0.8


def test_colour_images_go_through_a_pretrained_trunk_and_a_copy_predicts_the_same(cuts):
    images, labels = cuts
    few = np.where(np.arange(len(labels)) < 20, labels, -1)
    estimator = CaudexClassifier(size=64, **QUICK).fit(images, few)
    assert estimator.inputs_.trunk.startswith("efficientnet-lite0@") and estimator.score(images, labels) > 0.9
    copy = pickle.loads(pickle.dumps(estimator))
    assert np.array_equal(copy.predict_proba(images), estimator.predict_proba(images))


@pytest.fixture(scope="module")
def cuts():
    """Patches [60, 32, 32, 3] of scikit-learn's two photos, in turn, and which it is."""
    photos, rng = load_sample_images().images, np.random.default_rng(0)
    corners = rng.integers(0, 390, (60, 2))
    images = [photos[i % 2][y : y + 32, x : x + 32] for i, (y, x) in enumerate(corners)]
    return np.stack(images), np.arange(60) % 2


def test_words_are_classes_and_all_labelled_is_supervised():
    X, y = make_blobs(60, random_state=0)
    words = np.array(["a", "b", "c"], dtype=object)[y]
    with pytest.warns(UserWarning, match="labels all of X, so noisy-student learns as supervised does"):
        estimator = CaudexClassifier(steps=100, random_state=0).fit(X, words)
    assert estimator.classes_.tolist() == ["a", "b", "c"] and estimator.score(X, words) > 0.8
    words[10:] = -1
    assert set(CaudexClassifier(**QUICK).fit(X, words).predict(X)) <= {"a", "b", "c"}


IMAGES = np.zeros((4, 16, 16), dtype=np.uint8)


@pytest.mark.parametrize(
    ("settings", "X", "y", "message"),
    [
        ({}, np.ones((4, 3)), [-1] * 4, "y labels nothing; label a few of each class"),
        ({}, np.ones((4, 3)), [1, 1, -1, -1], "y has one class, 1; a classifier needs two"),
        ({}, np.ones((4, 3)), [0.5, 1.5, 2.5, 0.1], "Unknown label type: continuous"),
        ({"method": "noisy-studnt"}, np.ones((4, 3)), [0, 1, -1, -1], r"Did you mean noisy-student\?"),
        ({"settings": {"sofft": True}}, np.ones((4, 3)), [0, 1, -1, -1], "sofft=True: noisy-student has no such setting"),
        ({"method": "supervised", "rounds": 3}, np.ones((4, 3)), [0, 1, -1, -1], "rounds=3: supervised has no such"),
        ({"method": "two-heads"}, np.ones((4, 3)), [0, 1, -1, -1], "are about images, not vectors"),
        ({"trunk": "resnet50"}, np.ones((4, 3)), [0, 1, -1, -1], 'of vectors choose "auto" or "linear"'),
        ({"dropout": 2.0}, np.ones((4, 3)), [0, 1, -1, -1], "--dropout 2"),
        ({}, IMAGES.astype(float) + 7, [0, 1, -1, -1], "X is float64 from 7.0 to 7.0; images are uint8, or floats"),
        ({}, np.zeros((4, 3, 16, 16), np.uint8), [0, 1, -1, -1], r"stand last. X.transpose\(0, 2, 3, 1\) puts them last"),
        ({}, np.zeros((4, 2, 2, 2, 2)), [0, 1, -1, -1], "X is 4 x 2 x 2 x 2 x 2; images are"),
        ({}, ["a.png", "b.png"], [0, 1], "None of 2 images tried can be read; the first is a.png"),
        ({}, IMAGES, [0, 1, -1], "inconsistent numbers of samples"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused(settings, X, y, message):
    with pytest.raises((ValueError, CaudexError), match=message):
        CaudexClassifier(**settings).fit(X, y)


def test_a_file_that_is_gone_is_named(tmp_path, cuts):
    paths = []
    for number, image in enumerate(cuts[0]):
        Image.fromarray(image).save(path := tmp_path / f"{number}.png")
        paths.append(path)
    estimator = CaudexClassifier(trunk="small", **QUICK).fit(
        paths, cuts[1] * (np.arange(60) < 40) - (np.arange(60) >= 40)
    )
    paths[3].unlink()
    with pytest.raises(CaudexError, match=r"3.png cannot be read \(not there, or no longer\)"):
        estimator.predict(paths)
