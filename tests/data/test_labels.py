"""Names of classes as people write them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from caudex.data.labels import describe_classes, describe_missing, parse_label, similar_classes


@pytest.mark.parametrize("cell", ["", " ", "-1", "-1.0", "nan", "NaN", "None", "null", "NULL", " NaN "])
def test_cells_that_name_no_class(cell):
    assert parse_label(cell) == ""


@pytest.mark.parametrize("cell", ["0", "1", "-2", "none", "NA", "unknown", "Nan", "x"])
def test_cells_that_name_a_class(cell):
    assert parse_label(cell) == cell


@given(some.text())
def test_both_forms_of_a_name_are_one_class(name):
    assert parse_label(unicodedata.normalize("NFD", name)) == parse_label(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize(
    "classes, groups",
    [
        (["1", "1.0", "2"], [["1", "1.0"]]),
        (["cat", "Cat", "CAT ", "dog"], [["cat", "Cat", "CAT "]]),
        (["ice cream", "ice  cream", "Ice_Cream"], [["ice cream", "ice  cream", "Ice_Cream"]]),
        (["1e2", "100", "x", "X"], [["1e2", "100"], ["x", "X"]]),
        (["cat", "cats", "1", "2", "-2", "inf", "infinity"], []),
    ],
)
def test_classes_that_may_be_one_get_a_hint(classes, groups):
    assert similar_classes(classes) == [
        f"the classes {' and '.join(map(repr, names))} may be one; if they are, write them alike" for names in groups
    ]


def test_what_is_missing_is_counted():
    assert describe_missing(["a", "-1", "", "", "b"], "left out") == (
        "rows without a label, left out: 3 (empty: 2, -1: 1); if -1 is a class, give it a name"
    )
    assert describe_missing(["a", "nan"], "left out") == "rows without a label, left out: 1 (nan: 1)"
    assert describe_missing(["a"], "left out") == ""


def test_counts_of_classes_in_one_line():
    assert describe_classes(["a", "b"], [3, 1200]) == "a: 3, b: 1,200"
    assert describe_classes(["a", "b"], [3, 4], [1, 0]) == "a: 3 + 1, b: 4"
    names = [f"c{i}" for i in range(20)]
    assert describe_classes(names, range(20)) == "largest: c19: 19, c18: 18, c17: 17; smallest: c2: 2, c1: 1, c0: 0"
