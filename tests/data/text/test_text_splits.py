"""What is held out of labelled texts: equal ones never stand on both sides."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex.core.errors import CaudexError
from caudex.data.stratified import stratified_sample
from caudex.data.text.labelled_texts import LabelledTexts
from caudex.data.text.text_splits import split_texts


def make_texts(rows, test=None):
    classes = ("a", "b")
    texts, labels = zip(*rows)
    return LabelledTexts(list(texts), torch.tensor([classes.index(label) for label in labels]), classes, test=test)


@given(
    some.lists(
        some.sampled_from(["one", "two", " two", "two  ", "three", "fo\u0301ur", "f\u00f3ur"]), min_size=4, max_size=30
    ),
    some.integers(0, 9),
)
@settings(deadline=None)
def test_equal_texts_are_never_on_both_sides(texts, seed):
    rows = [(text, "ab"[i % 2]) for i, text in enumerate(texts)] + [(f"only {i}", "ab"[i % 2]) for i in range(8)]
    train, test, _, unlabelled = split_texts(make_texts(rows), 0, seed)
    assert not set(train.keys()) & set(test.keys())
    assert len(unlabelled) == 0 and len(train) + len(test) <= len(rows) and set(train.labels.tolist()) == {0, 1}


def test_texts_without_twins_are_split_as_before_this_rule():
    texts = make_texts([(f"text {i}", "ab"[i % 2]) for i in range(40)])
    train, test, notes, unlabelled = split_texts(texts, 3, seed=5)
    rows = stratified_sample(texts.labels, [5, 5], 5, "test").tolist()
    assert test.texts == [texts.texts[i] for i in rows]
    others = [i for i in range(40) if i not in rows]
    few = stratified_sample(texts.labels[others], [3, 3], 5, "labels").tolist()
    assert train.texts == [texts.texts[others[i]] for i in few]
    assert unlabelled.texts == [text for text in texts.texts if text not in {*train.texts, *test.texts}]
    assert notes == ["texts of each class, to learn from + to test on: a: 3 + 5, b: 3 + 5"]


def test_a_twin_leaves_the_draw_of_the_others_as_it_is():
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(40)]
    _, test, *_ = split_texts(make_texts(rows), 0, 0)
    twin = next(i for i, (text, _) in enumerate(rows) if text not in test.texts)
    plain, *_ = split_texts(make_texts(rows), 8, 0)
    rows[twin] = (test.texts[0] + " ", rows[twin][1])
    split = split_texts(make_texts(rows), 8, 0)
    assert "texts equal to one of the test, not learned from: 1" in split.notes
    assert len(set(split.train.texts) - set(plain.texts)) <= 1


def test_texts_with_a_test_of_their_own():
    test = make_texts([("one ", "a"), ("five", "b"), ("six", "a")])
    split = split_texts(make_texts([("one", "a"), ("two", "a"), ("three", "b")], test), 0, 0)
    assert split.train.texts == ["two", "three"] and sorted(split.test.texts) == ["five", "one ", "six"]


@pytest.mark.parametrize(
    "rows, words",
    [
        ([("x", "a"), ("y", "a"), ("z", "b")], "There is one text of class 'b'"),
        ([("x", "a"), ("y", "a"), ("z", "b"), ("z ", "b")], "no text of class 'b' is left to learn from"),
    ],
)
def test_a_class_of_which_too_little_is_left(rows, words):
    with pytest.raises(CaudexError, match=words):
        split_texts(make_texts(rows), 0, 0)
