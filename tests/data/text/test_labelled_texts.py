"""Labelled texts."""

import pytest

from caudex.core.errors import CaudexError
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
