"""Advice within few labels: the better method is named, and what cannot be advised on is refused."""

from collections import Counter

import numpy as np
import pytest
import torch
from helpers.command_line import assert_refused, invoke, run_cli
from helpers.cuts import as_image_set, cuts_of_photos
from helpers.photos import write_photos
from PIL import Image

from caudex.cli.advise import describe_sample
from caudex.core.errors import CaudexError
from caudex.evaluation.learning_curve import Forecast, Trial
from caudex.systems.studies import advise as advise_module
from caudex.systems.studies import methods as methods_module
from caudex.systems.studies.advise import (
    MethodTrials,
    advise_on_images,
    cheap_methods,
    check_labels,
    choose_method,
    confused_classes,
    draw_rows,
    gain_over,
    settings_for,
    std_error_of_gain,
)


def quick_methods(trunk, **settings):
    """Those of the command with few steps."""
    methods = cheap_methods(settings_for(trunk, 0, width=4, **settings))
    for name in ("supervised", "noisy-student"):
        system = methods[name].system
        system.steps = 5
        if name == "noisy-student":
            system.rounds = 1
    return methods


def test_trials_on_features_have_the_defaults_of_a_pretrained_trunk(tmp_path):
    image = np.full((32, 32, 3), (200, 40, 40), np.uint8)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.fromarray(image + number).save(tmp_path / name / f"{number}.png")
    student = cheap_methods(settings_for("auto", 0, data=str(tmp_path)))["noisy-student"].system
    assert student.trunk.startswith("efficientnet-lite0@") and (student.smooth, student.rounds) == (True, 1)


def measured(**shares):
    """Methods that were right for the first so many of 100 examples, and what is forecast of them."""
    trials = {
        name: MethodTrials([Trial(60, np.arange(100), np.arange(100) < 100 * share)], Counter())
        for name, share in shares.items()
    }
    forecasts = {name: Forecast(now, (0.0, 1.0), now, (0.0, 1.0), 0.0, (0.0, 0.0)) for name, now in shares.items()}
    return trials, forecasts


def test_the_best_is_named_and_of_equals_the_one_that_is_best_elsewhere():
    methods = {"logistic regression": 0.80, "noisy-student": 0.85, "label spreading": 0.70}
    assert choose_method(*measured(**methods)) == "noisy-student"
    # 86 and 85 of 100: one difference, a standard error of a point
    assert choose_method(*measured(**methods | {"label spreading": 0.858})) == "noisy-student"
    assert choose_method(*measured(**methods | {"label spreading": 0.90})) == "label spreading"
    trials, _ = measured(a=0.85, b=0.87)
    assert std_error_of_gain(trials["a"], trials["b"]) == pytest.approx(0.014)


def test_of_many_unlabelled_images_some_are_learned_from(monkeypatch):
    sizes = set()

    def record(method, split, seed):
        sizes.add(len(split.unlabelled))
        return split.test.labels

    monkeypatch.setattr(advise_module, "trial_predictions", record)
    monkeypatch.setattr(advise_module, "MAX_UNLABELLED", 7)
    images = as_image_set(cuts_of_photos(40), [i % 2 if i < 12 else -1 for i in range(40)])
    advise_on_images(images, None, quick_methods("small"), 10, 0)
    assert sizes == {7}
    monkeypatch.setattr(methods_module, "MAX_UNLABELLED", 7)
    assert describe_sample(28, "images") == ["The methods learned from 7 of 28 unlabelled images, evenly spaced."]
    assert describe_sample(7, "images") == []


def test_trials_learn_from_each_class_and_test_each_example_once():
    labels = torch.tensor([0] * 8 + [1] * 2)
    draws = list(draw_rows(labels, 2, seed=0))
    assert [draw.size for draw in draws] == [3, 3, 5, 5, 8, 8, 8, 8] * 2
    for size, train, test in draws:
        assert sorted([*train.tolist(), *test.tolist()]) == list(range(10))
        assert set(labels[train].tolist()) == {0, 1} and abs(len(train) - size) <= 1
    for group in (draws[2:4], draws[4:8]):
        assert sorted(torch.cat([draw.test for draw in group]).tolist()) == list(range(10))
    assert not torch.equal(draws[2].train, draws[10].train)  # another division


def test_of_two_labels_a_class_no_quarter_is_tried():
    labels = torch.arange(6).repeat(2)
    draws = list(draw_rows(labels, 1, seed=0))
    assert [draw.size for draw in draws] == [6, 6, 9, 9, 9, 9]
    assert all(set(labels[draw.train].tolist()) == set(range(6)) for draw in draws)


def test_confusions_count_both_ways():
    errors = Counter({(0, 1): 3, (1, 0): 2, (2, 0): 4})
    assert confused_classes(errors, ["a", "b", "c"], 1) == [("a", "b", 5)]


def test_advice_on_photos_of_two_kinds():
    images = as_image_set(cuts_of_photos(90, side=32), [i % 2 if i < 24 else -1 for i in range(90)])
    advice = advise_on_images(images, None, quick_methods("small"), more=50, seed=0)
    assert set(advice.methods) == {"logistic regression", "label spreading", "supervised", "noisy-student"}
    assert advice.num_labels == 24 and advice.majority == 0.5
    assert advice.forecasts["logistic regression"].now > 0.7
    best = advice.forecasts[advice.best]
    assert 0.5 < best.now <= 1 and best.later >= best.now
    other = next(name for name in advice.methods if name != advice.best)
    gain, low, high = gain_over(advice, other, 0)
    assert low <= gain <= high and gain >= -0.005


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0] * 12, "of class 'flower'"),
        ([0, 1, 1] + [0] * 10, "13 labels, 2 of class"),
        ([0, 0, 1, 1], "4 labels, 2 of class 'china', are too few"),
    ],
)
def test_too_few_labels_are_refused(labels, message):
    classes = ["china", "flower"]
    if message.startswith("13"):
        check_labels(torch.tensor(labels), classes)  # enough
        return
    with pytest.raises(CaudexError, match=message):
        check_labels(torch.tensor(labels), classes)


def test_the_command_writes_a_page_and_names_a_command(tmp_path, monkeypatch):
    monkeypatch.setattr(advise_module, "short_methods", lambda *settings: quick_methods("small"))
    pile = write_photos(tmp_path / "pile", labelled=8, unlabelled=10)
    words = ("advise", pile, "--trunk", "small", "--repeats", "1", "--run", "advice")
    output = " ".join(run_cli(*words).out.split())
    assert "Begin with " in output and "50 more labels are worth " in output
    page = (tmp_path / "advice/report.html").read_text()
    assert "<h1>advise</h1>" in page and "26 images, 16 labelled" in page and "label spreading" in page
    assert_refused("advise", because="say which images or texts you have")
    assert_refused("advise", pile / "unlabelled", "--trunk", "small", because="nothing is labelled")
    assert_refused("advise", pile, "--more", "0", because="--more 0")


def test_advice_that_was_killed_goes_on_to_the_same_page(tmp_path, monkeypatch):
    methods = quick_methods("small")
    del methods["noisy-student"], methods["label spreading"]
    monkeypatch.setattr(advise_module, "short_methods", lambda *settings: methods)
    pile = write_photos(tmp_path / "pile", labelled=8, unlabelled=10)
    words = ("advise", pile, "--trunk", "small")
    run_cli(*words, "--run", "advice")
    calls, predict = [], advise_module.trial_predictions

    def predict_until(last):
        def trial_predictions(*arguments):
            if len(calls) == last:
                raise KeyboardInterrupt
            calls.append(arguments)
            return predict(*arguments)

        return trial_predictions

    page = (tmp_path / "advice/report.html").read_text()
    trials = len(list((tmp_path / "advice/trials").iterdir()))
    (tmp_path / "advice").rename(tmp_path / "undisturbed")
    for last in (0, 7, trials - 1):
        monkeypatch.setattr(advise_module, "trial_predictions", predict_until(last))
        output = invoke(*words, "--run", "advice")
        assert output.code == 130
        assert output.err.endswith(f"stopped; `caudex advise {pile} --trunk small --run advice` goes on.\n")
    assert_refused(*words, "--seed", "1", "--run", "advice", because="advice was begun with other --seed; give another")
    monkeypatch.setattr(advise_module, "trial_predictions", predict_until(None))
    run_cli(*words, "--run", "advice")
    assert len(calls) == trials
    assert (tmp_path / "advice/report.html").read_text() == page
    assert_refused(*words, "--run", "advice", because="report.html has this advice; choose another --run")


def write_reviews(file, labelled: int, unlabelled: int = 0, words=("dreadful", "splendid")) -> None:
    """Reviews in which one word tells the class; the first of them are labelled."""
    things = ("film", "book", "dinner", "hotel", "concert", "journey", "phone", "garden")
    lines = ["text,label"]
    for i in range(labelled + unlabelled):
        label = ("negative", "positive")[i % 2] if i < labelled else ""
        lines.append(f"The {things[i % 8]} number {i} was quite {words[i % 2]} for us,{label}")
    file.write_text("\n".join(lines) + "\n")


def test_advice_on_texts_names_a_command_and_lists_wrong_labels(tmp_path):
    write_reviews(tmp_path / "reviews.csv", labelled=40, unlabelled=20)
    lines = (tmp_path / "reviews.csv").read_text().splitlines()
    lines[5] = lines[5].replace("negative", "positive")
    (tmp_path / "reviews.csv").write_text("\n".join(lines) + "\n")
    output = " ".join(run_cli("advise", tmp_path / "reviews.csv", "--repeats", "2", "--run", "advice").out.split())
    assert "Begin with " in output and "kept unlabelled: 20" in output
    assert "1 label may be wrong" in output
    page = (tmp_path / "advice/report.html").read_text()
    assert "60 texts, 40 labelled" in page and "MiniLM, label spreading" in page
    assert "number 4 was quite dreadful" in page and "rather &#x27;negative&#x27;" in page


def test_texts_without_unlabelled_ones_of_other_columns_or_of_one_class(tmp_path):
    write_reviews(tmp_path / "reviews.csv", labelled=24)
    content = (tmp_path / "reviews.csv").read_text()
    (tmp_path / "other.csv").write_text(content.replace("text,label", "opinion,verdict"))
    words = ("--text", "opinion", "--label", "verdict", "--repeats", "1", "--run", "advice")
    output = " ".join(run_cli("advise", tmp_path / "other.csv", *words).out.split())
    assert "label spreading" not in output
    (tmp_path / "one.csv").write_text(content.replace("negative", "positive"))
    assert_refused("advise", tmp_path / "one.csv", because="one class, 'positive'")
    (tmp_path / "few.csv").write_text("\n".join(content.splitlines()[:7]) + "\n")
    assert_refused("advise", tmp_path / "few.csv", because="6 labels, 3 of class 'negative', are too few")
