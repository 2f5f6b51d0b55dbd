"""Labelled texts."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from caudex.core.errors import CaudexError
from caudex.data.images.csv_labels import parse_csv
from caudex.data.text.labelled_texts import load_labelled_texts


def test_labelled_texts_of_a_table(tmp_path):
    (tmp_path / "a.csv").write_text("text,label,more\none,b,1\ntwo,a,2\n,a,3\nfour,,4\nfive,b,5\n")
    texts = load_labelled_texts(str(tmp_path / "a.csv"))
    assert texts.texts == ["one", "two", "five"] and texts.labels.tolist() == [1, 0, 1] and texts.classes == ("a", "b")
    assert texts.text_pairs is None and texts.dropped_rows == 2 and len(texts) == 3
    pairs = load_labelled_texts(str(tmp_path / "a.csv"), pair_column="more")
    assert pairs.text_pairs == ["1", "2", "5"]
    assert pairs.select(pairs.labels == 1).text_pairs == ["1", "5"]
    with pytest.raises(CaudexError, match=r"has no column 'lable'. Did you mean label"):
        load_labelled_texts(str(tmp_path / "a.csv"), label_column="lable")


def test_labels_that_are_numbers(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "no", "label": 0}\n{"text": "yes", "label": 1}\n')
    texts = load_labelled_texts(str(tmp_path / "a.jsonl"))
    assert texts.classes == ("0", "1") and texts.labels.tolist() == [0, 1]


def test_labelled_texts_of_a_folder(tmp_path):
    for name, content in (("good/1.txt", "one"), ("good/2.md", "two"), ("bad/1.txt", "three"), ("bad/2.txt", "")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    texts = load_labelled_texts(str(tmp_path))
    assert texts.texts == ["three", "one", "two"] and texts.labels.tolist() == [0, 1, 1]
    assert texts.classes == ("bad", "good") and texts.skipped[0][1] == "empty"
    with pytest.raises(CaudexError, match="cannot hold pairs"):
        load_labelled_texts(str(tmp_path), pair_column="more")


def test_one_class_is_none(tmp_path):
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "1.txt").write_text("one")
    with pytest.raises(CaudexError, match="has one class, 'good'; a classifier needs two"):
        load_labelled_texts(str(tmp_path))
    (tmp_path / "a.csv").write_text("text,label\n,b\n")
    with pytest.raises(CaudexError, match="has no labelled text; a classifier needs two"):
        load_labelled_texts(str(tmp_path / "a.csv"))
    with pytest.raises(CaudexError, match="good has no folders in it; give one folder a class"):
        load_labelled_texts(str(tmp_path / "good"))


@pytest.mark.parametrize(
    "rows, count, notes",
    [
        ("one,a\ntwo,b\n", 2, []),
        (
            "one,a\ntwo,b\nthree,-1\nfour,nan\nfive,None\nsix,\n",
            2,
            [
                "rows without a label, left out: 4 (-1: 1, nan: 1, None: 1, empty: 1); if -1 is a class, give it another name"
            ],
        ),
        ("one,a\n ,b\ntwo,b\n", 2, ["rows without a text, left out: 1"]),
        ("one,1\ntwo,1.0\n", 2, ["the classes '1' and '1.0' may be one; if they are, write them alike"]),
        (
            "one,a\none ,b\none,b\n",
            3,
            ["texts with more than one label: 1, such as 'one', 'a' and 'b'; keep one of each"],
        ),
        ("one,caf\u00e9\ntwo,cafe\u0301\nthree,b\n", 3, []),
    ],
)
def test_what_a_table_lacks_or_contradicts_is_said(tmp_path, rows, count, notes):
    (tmp_path / "a.csv").write_text("text,label\n" + rows, encoding="utf-8")
    texts = load_labelled_texts(str(tmp_path / "a.csv"))
    assert (len(texts), len(texts.classes), texts.notes) == (count, 2, notes)


def test_one_class_is_refused_with_what_was_missing(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\none,1\ntwo,-1\n")
    with pytest.raises(
        CaudexError,
        match=r"one class, '1'; a classifier needs two. Rows without a label, left out: 1 .-1: 1.; if -1 is a class",
    ):
        load_labelled_texts(str(tmp_path / "a.csv"))


def test_a_label_of_another_encoding_is_refused_and_the_name_of_a_folder_is_a_class(tmp_path):
    (tmp_path / "a.csv").write_bytes("text,label\none,a\ntwo,tr\u00e8s\n".encode("latin-1"))
    with pytest.raises(
        CaudexError, match=r"line 3: the label 'tr\ufffds' is not UTF-8. The first .*reads 'two,tr\u00e8s'; save"
    ):
        load_labelled_texts(str(tmp_path / "a.csv"))
    (tmp_path / "a.csv").write_text("text,label\none,a\ntwo,\0b\n")
    with pytest.raises(CaudexError, match=r"a.csv, line 3 has a NUL byte"):
        load_labelled_texts(str(tmp_path / "a.csv"))
    for name in ("none", "some"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "0.txt").write_text(name)
    assert load_labelled_texts(str(tmp_path / "set")).classes == ("none", "some")


PARTS = [
    *["path", "label", "text", "Path", ",", ";", "\t", "\n", "\r", "\r\n", '"', '""', "a", "-1", "0.png"],
    "",
    "\0",
    "\ufeff",
    "Unnamed: 0",
    "\u2028",
    "\xff",
]


@given(
    some.sampled_from(["", "text,label\n", ",path,label\n"]),
    some.lists(some.sampled_from(PARTS), max_size=25),
    some.booleans(),
)
@settings(max_examples=100, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_a_table_holds_it_is_read_or_refused(tmp_path, header, parts, is_utf8):
    table = tmp_path / "a.csv"
    table.write_bytes((header + "".join(parts)).encode("utf-8" if is_utf8 else "utf-16-le"))
    for read in (parse_csv, load_labelled_texts):
        with contextlib.suppress(CaudexError):
            read(table if read is parse_csv else str(table))


def test_lines_that_end_as_on_old_macs_are_refused_in_texts(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text,label\rone,a\rtwo,b\r")
    with pytest.raises(CaudexError, match=r"lines that end in \\r, as old Macs wrote them; save it"):
        load_labelled_texts(str(tmp_path / "a.csv"))


def test_columns_are_found_in_any_letter_case_and_named_once(tmp_path):
    (tmp_path / "a.csv").write_text(",Text,LABEL\n0,one,a\n1,two,b\n")
    assert load_labelled_texts(str(tmp_path / "a.csv")).texts == ["one", "two"]
    (tmp_path / "a.jsonl").write_text('{"Text": "one", "Label": "a"}\n{"Text": "two", "Label": "b"}\n')
    assert load_labelled_texts(str(tmp_path / "a.jsonl")).classes == ("a", "b")
    (tmp_path / "a.csv").write_text("text,label,label\none,a,b\n")
    with pytest.raises(CaudexError, match="has 2 columns 'label'; rename or remove all but one"):
        load_labelled_texts(str(tmp_path / "a.csv"))


def test_other_encodings_are_said_or_refused_by_name(tmp_path):
    (tmp_path / "a.csv").write_bytes("text,label\n\u00fcber,a\ntwo,b\n".encode("latin-1"))
    texts = load_labelled_texts(str(tmp_path / "a.csv"))
    assert texts.texts[0] == "\ufffdber" and texts.replaced_bytes == 1
    assert texts.notes == [
        f"1 byte that is not UTF-8 was replaced by \ufffd, the first in {tmp_path / 'a.csv'} at byte 11; "
        "in cp1252 it reads '\u00fcber,a'; save it as UTF-8, as by iconv -f cp1252 -t UTF-8"
    ]
    for encoding in ("utf-16", "utf-32"):
        (tmp_path / "a.csv").write_bytes("text,label\none,a\ntwo,b\n".encode(encoding))
        with pytest.raises(CaudexError, match=f"a.csv is {encoding.upper()}; save it as UTF-8"):
            load_labelled_texts(str(tmp_path / "a.csv"))
    (tmp_path / "a.csv").write_text("text,label\none,a\ntwo,b\n", encoding="utf-8-sig")
    assert load_labelled_texts(str(tmp_path / "a.csv")).notes == []
