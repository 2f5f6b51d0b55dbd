"""Names of classes as people write them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from caudex.data.labels import (
    NO_LABEL,
    describe_classes,
    describe_distinct,
    describe_missing,
    folder_class,
    parse_label,
    similar_classes,
)


@pytest.mark.parametrize(
    "cell",
    [
        "",
        " ",
        "-1",
        "-1.0",
        "nan",
        "NaN",
        "None",
        "NONE",
        "null",
        "NULL",
        " NaN ",
        "NA",
        "n/a",
        "N/A",
        "\u200b",
        "na\ufeff",
    ],
)
def test_cells_that_name_no_class(cell):
    assert parse_label(cell) == ""


@pytest.mark.parametrize("cell", ["0", "1", "-2", "-1.5", "naan", "no", "unknown", "x"])
def test_cells_that_name_a_class(cell):
    assert parse_label(cell) == cell


@given(some.sampled_from(sorted(NO_LABEL)), some.data())
def test_the_case_of_what_says_that_there_is_no_label_says_nothing(word, draw):
    upper = draw.draw(some.lists(some.booleans(), min_size=len(word), max_size=len(word)))
    assert parse_label("".join(letter.upper() if up else letter for letter, up in zip(word, upper))) == ""


@given(some.text(), some.integers(0, 20), some.sampled_from("\u200b\u2060\ufeff"))
def test_spaces_without_width_are_no_part_of_a_name(name, place, invisible):
    assert parse_label(name[:place] + invisible + name[place:]) == parse_label(name)


def test_the_name_of_a_folder_is_a_class_whatever_it_is():
    assert (
        folder_class("none") == "none" and folder_class("\u200bcat") == "cat" and folder_class("\u200b") == r"'\u200b'"
    )


@given(some.text())
def test_both_forms_of_a_name_are_one_class(name):
    assert parse_label(unicodedata.normalize("NFD", name)) == parse_label(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize(
    "classes, groups",
    [
        (["1", "1.0", "2"], [["1", "1.0"]]),
        (["cat", "Cat", "CAT ", "dog"], [["cat", "Cat", "CAT "]]),
        (["ice cream", "ice  cream", "Ice_Cream"], [["ice cream", "ice  cream", "Ice_Cream"]]),
        (["cat", "c\u200dat", "dog"], [["cat", "c\u200dat"]]),
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
        "rows without a label, left out: 3 (empty: 2, -1: 1); if -1 is a class, give it another name"
    )
    assert describe_missing(["a", "NA", "NA", "none"], "left out") == (
        "rows without a label, left out: 3 (NA: 2, none: 1); if NA is a class, give it another name"
    )
    assert describe_missing(["a", "", " "], "left out") == "rows without a label, left out: 2 (empty: 2)"
    assert describe_missing(["a"], "left out") == ""


def test_a_column_of_identifiers_is_told_from_one_of_classes():
    assert describe_distinct("id", 9, 9) == describe_distinct("id", 100, 89) == ""
    assert describe_distinct("id", 1000, 1000).startswith("column 'id' has another value in each of 1,000 rows")
    assert "in nearly each of 1,000 rows" in describe_distinct("id", 1000, 950)


def test_counts_of_classes_in_one_line():
    assert describe_classes(["a", "b"], [3, 1200]) == "a: 3, b: 1,200"
    assert describe_classes(["a", "b"], [3, 4], [1, 0]) == "a: 3 + 1, b: 4"
    names = [f"c{i}" for i in range(20)]
    assert describe_classes(names, range(20)) == "largest: c19: 19, c18: 18, c17: 17; smallest: c2: 2, c1: 1, c0: 0"
