"""Labels are written one by one: what is written is read back, and nothing else of the table changes."""

import os
from pathlib import Path

import numpy as np
import pytest
from helpers.image_files import assert_loading_refused, save_image
from hypothesis import given
from hypothesis import strategies as st

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data.images.label_table import LabelTable

TABLE = b'\xef\xbb\xbfphotographer;path;label;note\r\n"Ann ""A""";a.png;cat;"two\r\nlines"\r\nBo;b.png;nan;  spaces \r\n\r\nCy;c.png;;x'


def open_table(file, *names, root="photos", initial=None):
    Path(root).mkdir(exist_ok=True)
    return LabelTable(Path(file), Path(root), dict.fromkeys(map(os.fsencode, names)), initial or {})


def test_only_the_row_of_the_image_changes():
    Path("t.csv").write_bytes(TABLE)
    table = open_table("t.csv", "a.png", "b.png", "c.png", "d.png")
    assert table.labels == {b"a.png": "cat"}
    assert table.set_label(b"b.png", "dog", "")
    assert Path("t.csv").read_bytes() == TABLE.replace(b"b.png;nan", b"b.png;dog")
    assert table.set_label(b"b.png", "", "dog")  # undone: nan again
    assert Path("t.csv").read_bytes() == TABLE
    assert table.set_label(b"d.png", "cat", "")
    assert Path("t.csv").read_bytes() == TABLE + b"\r\n;d.png;cat;\r\n"
    assert table.set_label(b"d.png", "", "cat")
    assert Path("t.csv").read_bytes() == TABLE + b"\r\n"
    assert table.set_label(b"c.png", "dog", "") and table.set_label(b"d.png", "dog", "")
    assert Path("t.csv").read_bytes().endswith(b"Cy;c.png;dog;x\r\n;d.png;dog;\r\n")


def test_a_new_table_begins_with_the_labels_that_are_there():
    table = open_table("photos/labels.csv", "cat/1.png", "2.png", initial={b"cat/1.png": "cat"})
    assert table.labels == {b"cat/1.png": "cat"} and not Path("photos/labels.csv").exists()
    table.set_label(b"2.png", "dog", "")
    assert Path("photos/labels.csv").read_text() == "path,label\ncat/1.png,cat\n2.png,dog\n"


def test_an_edit_of_somebody_else_is_merged_and_the_row_that_changed_under_the_hand_is_left():
    table = open_table("t.csv", "1.png", "2.png", "3.png")
    table.set_label(b"1.png", "cat", "")
    table.refresh()
    assert table.edits == []
    Path("t.csv").write_text("path,label,by\n2.png,dog,Bo\n1.png,cat,Ann\n")
    assert not table.set_label(b"2.png", "cat", "")  # somebody has called it dog meanwhile
    assert table.labels == {b"1.png": "cat", b"2.png": "dog"}
    assert table.set_label(b"2.png", "cat", "dog") and table.set_label(b"3.png", "dog", "")
    assert Path("t.csv").read_text() == "path,label,by\n2.png,cat,Bo\n1.png,cat,Ann\n3.png,dog,\n"
    Path("t.csv").write_text("path,label\n3.png,cat\n")
    table.refresh()
    assert table.labels == {b"3.png": "cat"} and len(table.edits) == 2
    assert table.edits[1].startswith("t.csv was edited by another program: 3 labels differ now.")


def test_a_table_that_broke_meanwhile_is_not_overwritten_and_one_that_went_is_written_again():
    table = open_table("t.csv", "1.png", "2.png")
    table.set_label(b"1.png", "cat", "")
    Path("t.csv").write_text("path,label\n1.png,cat,\n")
    with pytest.raises(CaudexError, match="does not fit the columns"):
        table.set_label(b"2.png", "dog", "")
    assert Path("t.csv").read_text() == "path,label\n1.png,cat,\n" and table.labels == {b"1.png": "cat"}
    Path("t.csv").unlink()
    assert table.set_label(b"2.png", "dog", "") and "t.csv was removed." in table.edits[0]
    assert Path("t.csv").read_text() == "path,label\n1.png,cat\n2.png,dog\n"


def test_a_link_stays_a_link_and_two_rows_of_one_image_change_alike(tmp_path):
    (tmp_path / "real.csv").write_text("path,label\n1.png,cat\n./1.png,cat\nphotos/2.png,dog\n")
    Path("t.csv").symlink_to(tmp_path / "real.csv")
    for name in ("photos/1.png", "photos/2.png"):
        save_image(Path(name), np.zeros((8, 8), dtype=np.uint8))
    table = open_table("t.csv", "1.png", "2.png")
    assert table.set_label(b"1.png", "dog", "cat") and table.set_label(b"2.png", "cat", "dog")
    assert Path("t.csv").is_symlink()
    assert Path("t.csv").read_text() == "path,label\n1.png,dog\n./1.png,dog\nphotos/2.png,cat\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("path,label\n1.png,cat\n1.png,dog\n", "calls '1.png' both 'cat' and 'dog'"),
        ("path,tags\n1.png,a|b\n", "has tags and no column `label`; give another table: --labels labels.csv"),
        ("", "is empty, or its first line is"),
    ],
)
def test_a_table_that_cannot_be_one_of_classes_is_refused(content, sentence):
    Path("t.csv").write_text(content)
    with pytest.raises(CaudexError, match=sentence.replace("|", r"\|")):
        open_table("t.csv", "1.png")


def test_a_place_that_cannot_be_written_is_said():
    with pytest.raises(CaudexError, match="there is no folder nowhere; make it first"):
        open_table("nowhere/t.csv", "1.png")
    table = open_table("photos/t.csv", "1.png")
    Path("photos/t.csv").mkdir()
    with pytest.raises(CaudexError, match="cannot be read"):
        table.set_label(b"1.png", "cat", "")
    assert table.labels == {}


names = st.lists(
    st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, 47} and name[:1] != b".")
    | st.sampled_from([b" a", b"a,b", b'"', b"a\nb", b"a\rb", b"<b>", b"\xff", b"\\xff", b"=1+1", b"\xe2\x80\xae", b";\t"]),
    min_size=1, max_size=6, unique=True,
)  # fmt: skip
labels = st.lists(st.sampled_from(["cat", "a,b", '"', "<script>", "line\nbreak", "ä", "=1", "a\rb", "'"]), min_size=6)


@given(names, labels)
def test_what_is_written_is_read_back_as_the_same_labels(tmp_path_factory, names, labels):
    root = tmp_path_factory.mktemp("photos")
    images = {name + b".png": label for name, label in zip(names, labels)}
    for image in images:
        (root / os.fsdecode(image)).touch()
    table = LabelTable(root / "labels.csv", root, images, {})
    written = {}
    for image, label in images.items():
        try:
            assert table.set_label(image, label, "")
            written[image] = label
        except CaudexError as error:  # it reads like the name of another
            assert "cannot be named in a table; rename the file" in str(error) and b"\xff" in image
    assert LabelTable(root / "labels.csv", root, images, {}).labels == written


def test_a_training_reads_names_that_are_not_utf8(tmp_path, rng):
    pixels = rng.integers(0, 256, (8, 8, 8), dtype="uint8")
    images = {b"\xff.png": "cat", b" space\n.png": "dog", b"\xc3\xa9.png": "cat", b"b.png": "dog"}
    for image, content in zip(images, pixels):
        save_image(tmp_path / os.fsdecode(image), content)
    table = LabelTable(tmp_path / "labels.csv", tmp_path, images, {})
    for image, label in images.items():
        table.set_label(image, label, "")
    split = data.load_images(str(tmp_path), labels=str(tmp_path / "labels.csv"))
    assert sorted(split.labelled.labels.tolist()) == [0, 0, 1, 1] and len(split.unlabelled) == 0
    (tmp_path / os.fsdecode(b"\xff.png")).unlink()
    assert_loading_refused(r"\xff.png", tmp_path, labels=str(tmp_path / "labels.csv"))
