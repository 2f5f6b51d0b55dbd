"""Labels reach the table whatever else happens to it: edits, other tabs, files that vanish, names of any kind."""

import io
from pathlib import Path

import numpy as np
import pytest
from helpers.image_files import save_image
from helpers.label_pages import open_page, post_label, write_images
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from caudex.core.errors import CaudexError
from caudex.data.images.csv_labels import parse_csv
from caudex.data.images.label_queue import QueuedImage
from caudex.data.images.label_table import LabelTable
from caudex.serve.labelling import Labelling, open_labelling


def table():
    return Path("photos/labels.csv").read_text()


def test_labels_are_written_one_by_one_undone_and_counted():
    client, labelling = open_page(write_images(Path("photos"), "1.png", "2.png", "3.png"))
    queue = client.get("/queue").json()
    assert queue == {
        "total": 3,
        "classes": [{"name": "cat", "text": "cat", "key": "1"}, {"name": "dog", "text": "dog", "key": "2"}],
        "start": 0,
        "advised": False,
    }
    first = client.get("/items/0").json()
    assert (first["name"], first["label"], first["open"], first["following"]) == ("1.png", "", 3, [1, 2])
    answer = post_label(client, 0, "dog").json()
    assert (answer["label"], answer["open"], answer["counts"], answer["following"]) == ("dog", 2, [0, 1], [1, 2])
    assert table() == "path,label\n1.png,dog\n"
    post_label(client, 2, "cat")
    assert client.get("/items/0").json()["following"] == [1] and labelling.count_written() == 2
    answer = post_label(client, 0, "", previous="dog", undo=True).json()
    assert (answer["open"], answer["counts"]) == (2, [1, 0]) and table() == "path,label\n3.png,cat\n"
    assert labelling.count_written() == 1


def test_two_tabs_lose_nothing():
    client, _ = open_page(write_images(Path("photos"), "1.png", "2.png"))
    post_label(client, 0, "cat")  # the one tab
    answer = post_label(client, 0, "dog")  # the other, which shows it without a label
    assert answer.status_code == 409 and answer.json()["item"]["label"] == "cat"
    assert post_label(client, 0, "cat").status_code == 200  # both mean the same
    assert table() == "path,label\n1.png,cat\n"
    assert post_label(client, 0, "dog", previous="cat").status_code == 200  # now it knows
    assert table() == "path,label\n1.png,dog\n"


def test_an_edit_of_the_table_is_merged_and_said():
    client, _ = open_page(write_images(Path("photos"), "1.png", "2.png", "3.png"))
    post_label(client, 0, "cat")
    assert client.get("/items/0").json()["edits"] == 0
    Path("photos/labels.csv").write_text("path,by,label\n2.png,Ann,dog\n1.png,Bo,bird\n")
    item = client.get("/items/0").json()
    assert (item["label"], item["edits"], item["counts"], item["open"]) == ("bird", 1, [0, 1], 1)
    assert item["edit"].startswith("photos/labels.csv was edited by another program: 2 labels differ now.")
    post_label(client, 2, "cat")
    assert table() == "path,by,label\n2.png,Ann,dog\n1.png,Bo,bird\n3.png,,cat\n"
    assert post_label(client, 0, "cat", previous="bird").status_code == 200
    assert post_label(client, 0, "bird", previous="cat", undo=True).status_code == 200  # no class, but what was there
    Path("photos/labels.csv").write_bytes(b"path,label\n\xff,cat\n")
    answer = post_label(client, 1, "cat", previous="dog")
    assert answer.status_code == 400 and "is not UTF-8" in answer.json()["error"]
    assert Path("photos/labels.csv").read_bytes() == b"path,label\n\xff,cat\n"


def test_a_file_that_vanished_is_said_and_not_labelled():
    client, _ = open_page(write_images(Path("photos"), "1.png", "2.png"))
    Path("photos/1.png").unlink()
    answer = client.get("/images/0")
    assert answer.status_code == 404
    assert answer.json() == {"error": "this image cannot be shown: not there, or no longer."}
    assert post_label(client, 0, "cat").json() == {"error": "1.png is no longer there; skip it."}
    item = client.get("/items/0").json()
    assert item["missing"] and item["following"] == [1] and not Path("photos/labels.csv").exists()


def test_images_are_encoded_anew_upright_and_of_a_sensible_size():
    photo = np.zeros((60, 3000, 3), dtype=np.uint8)
    photo[:, :1500, 0] = 255
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "<script>"
    save_image(Path("photos/1.jpg"), photo, exif=exif)
    Path("photos/2.png").write_text("<svg onload=alert(1)>")
    client, _ = open_page(Path("photos"))
    answer = client.get("/images/0")
    image = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["content-type"], image.format, image.size) == ("image/jpeg", "JPEG", (20, 1000))
    assert image.convert("RGB").getpixel((10, 100))[0] > 240 and not image.getexif() and b"script" not in answer.content
    Path("photos/1.jpg").write_bytes(b"")
    assert client.get("/images/0").content == answer.content  # cached
    assert client.get("/images/1").json() == {"error": "this image cannot be shown: not an image."}


def test_a_queue_brings_suggestions_and_reasons_and_what_was_called_otherwise_is_done():
    write_images(Path("photos"), "1.png", "2.png", "3.png")
    Path("photos/labels.csv").write_text("path,label\n1.png,cat\n2.png,dog\n")
    Path("q.csv").write_text("path,label,suggestion,reason\n1.png,cat,dog,unsure\n2.png,cat,dog,\n3.png,,cat,new\n")
    client, labelling = open_page(Path("photos"), (), queue_file=Path("q.csv"))
    item = client.get("/items/0").json()
    assert {
        "label": "cat",
        "queue_label": "cat",
        "suggestion": "dog",
        "reason": "unsure",
        "open": 2,
    }.items() <= item.items()
    answer = post_label(client, 0, "cat", previous="cat").json()  # it is right
    assert answer["following"] == [2] and answer["open"] == 1 and labelling.count_written() == 0
    assert post_label(client, 0, "cat", previous="cat", undo=True).json()["open"] == 2


def test_the_table_of_doctor_is_queue_and_table_at_once():
    write_images(Path("photos"), "cat/1.png", "dog/2.png", "3.png")
    Path("runs").mkdir()
    file = Path("runs/labels.csv")
    file.write_text("path,label,suggestion,reason\ndog/2.png,dog,cat,unlikely\n3.png,,,odd\ncat/1.png,cat,,\n")
    client, labelling = open_page(Path("photos"), (), queue_file=file, table_file=file)
    assert [entry.image for entry in labelling.queue] == [b"dog/2.png", b"3.png"] and labelling.classes == [
        "cat",
        "dog",
    ]
    assert post_label(client, 0, "cat", previous="dog").status_code == 200
    assert file.read_text().splitlines()[1:] == ["dog/2.png,cat,cat,unlikely", "3.png,,,odd", "cat/1.png,cat,,"]
    assert not Path("photos/labels.csv").exists()


NAMES = ["'\"><b>&amp;.png", "a\nb.png", "\u202egnp.png", " x.png", "a,b;c\t.png", "\udcff.png"]


def test_names_of_any_kind_are_text():
    write_images(Path("photos"), *NAMES)
    classes = ["<img src=x onerror=alert(1)>", 'a"b', "line\nbreak", "cat,dog"]
    client, labelling = open_page(Path("photos"), classes)
    items = [client.get(f"/items/{number}").json() for number in range(len(NAMES))]
    assert sorted(item["name"] for item in items) == sorted(
        ["'\"><b>&amp;.png", r"a\nb.png", r"\u202egnp.png", " x.png", r"a,b;c\t.png", r"\xff.png"]
    )
    assert [entry["text"] for entry in client.get("/queue").json()["classes"]] == [
        *classes[:2],
        r"line\nbreak",
        classes[3],
    ]
    for number in range(len(NAMES)):
        assert client.get(f"/images/{number}").status_code == 200
        assert post_label(client, number, classes[number % 4]).status_code == 200
    Path("q.csv").write_bytes(labelling.table.file.read_bytes())
    reopened, _ = open_labelling(Path("photos"), Path("q.csv"), classes=classes)
    assert reopened.table.labels == labelling.table.labels and len(reopened.table.labels) == len(NAMES)
    assert reopened.count_written() == 0 and [entry.image for entry in reopened.queue] == [
        entry.image for entry in labelling.queue
    ]


def test_the_title_is_escaped():
    client, _ = open_page(write_images(Path('<b>"photos"'), "1.png"))
    assert "<b>" not in client.get("/").text and "&lt;b&gt;&#34;photos&#34;" in client.get("/").text


@settings(max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["cat", "dog", "bird", ""]), st.booleans()), max_size=12))
def test_whatever_is_pressed_and_edited_the_table_says_what_was_answered(tmp_path_factory, steps):
    folder = write_images(tmp_path_factory.mktemp("photos"), "a.png", "b.png", "c.png", "d.png")
    client, _ = open_page(folder, ("cat", "dog", "bird"))
    expected = {}
    for number, label, by_hand in steps:
        name = "abcd"[number] + ".png"
        if by_hand:
            expected[name] = label
            rows = "".join(f"{name},{label},x\n" for name, label in expected.items())
            (folder / "labels.csv").write_text(f"path,label,note\n{rows}")
        else:
            previous = client.get(f"/items/{number}").json()["label"]
            assert post_label(client, number, label, previous).json()["label"] == label
            expected[name] = label
    if (folder / "labels.csv").exists():
        lines = parse_csv(folder / "labels.csv")[1]
        assert {name: cells[0] for _, name, cells in lines if cells[0]} == {k: v for k, v in expected.items() if v}
    assert sum(client.get("/items/0").json()["counts"]) == sum(map(bool, expected.values()))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"classes": ["cat"]}, "--classes cat: a label is chosen from two classes or more"),
        ({"classes": ["cat", "NaN"]}, "'NaN' says in a table that there is no label; give the class another name"),
        ({}, "no class is named by photos; a label is chosen from two or more: --classes cat dog"),
        ({"queue_file": Path("none.csv")}, "none.csv is not there"),
        ({"table_file": Path("no/labels.csv"), "classes": ["a", "b"]}, "there is no folder no; make it first"),
    ],
)
def test_what_cannot_be_labelled_is_said(arguments, sentence):
    write_images(Path("photos"), "1.png")
    with pytest.raises(CaudexError) as error:
        open_labelling(Path("photos"), **arguments)
    assert sentence in str(error.value)


def test_a_folder_whose_images_all_have_labels_says_what_to_do():
    write_images(Path("photos"), "2020/1.png", "2021/2.png")
    with pytest.raises(CaudexError, match=r"by their folders, which name classes; name the classes, if those are none"):
        open_labelling(Path("photos"))
    labelling, _ = open_labelling(Path("photos"), classes=["cat", "dog"])
    assert len(labelling.queue) == 2
    Path("photos/labels.csv").write_text("path,label\n2020/1.png,cat\n2021/2.png,cat\n")
    with pytest.raises(CaudexError, match=r"by photos/labels\.csv; look at some again: --queue FILE"):
        open_labelling(Path("photos"))


def test_the_labels_of_folders_go_into_a_new_table(tmp_path):
    write_images(Path("photos"), "labelled/cat/1.png", "labelled/dog/2.png", "unlabelled/3.png")
    client, labelling = open_page(Path("photos"), ())
    assert labelling.classes == ["cat", "dog"] and len(labelling.queue) == 1
    post_label(client, 0, "dog")
    assert table() == "path,label\nlabelled/cat/1.png,cat\nlabelled/dog/2.png,dog\nunlabelled/3.png,dog\n"


def test_of_a_hundred_thousand_images_the_page_never_holds_all():
    write_images(Path("photos"), "1.png")
    images = dict.fromkeys(b"%06d.png" % number for number in range(100_000))
    table = LabelTable(Path("photos/labels.csv"), Path("photos"), images, {})
    labelling = Labelling(Path("photos"), [QueuedImage(image) for image in images], table, ["cat", "dog"])
    assert labelling.describe()["total"] == 100_000
    assert len(str(labelling.describe())) < 2_000 and len(str(labelling.describe_image(50_000))) < 2_000
