"""Tables of tags and of numbers: what a cell says, what is unlabelled, what is held out, and what is refused."""

import numpy as np
import pytest
import torch
from helpers.image_files import assert_loading_refused, image_names, save_image, write_noise_images

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data import ImageSet, InMemoryImages
from caudex.data.images.splits import UnsplitImages, split_images
from caudex.data.images.targets import check_target, sample_test_rows


@pytest.fixture
def photos(tmp_path, rng):
    return write_noise_images(tmp_path / "pile", rng, unlabelled=8) / "unlabelled"


def load_table(photos, cells, header="path,tags", target="auto", **options):
    """The split of images whose cells are given, by number."""
    table = photos.parent / "table.csv"
    table.write_text(f"{header}\n" + "".join(f'{i:03}.png,"{cell}"\n' for i, cell in enumerate(cells)))
    return data.load_images(str(photos), labels=str(table), target=target, **options)


def test_tags_in_any_order_and_an_empty_cell_is_an_image_without_any(photos):
    split = load_table(photos, ["b|a", " a | c ", "a||a|", "", "|", "nan"])
    assert (split.labelled.target, split.labelled.target_name) == ("tags", "tags")
    assert split.labelled.classes == ("a", "b", "c")
    assert split.labelled.labels.tolist() == [[1, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert (
        image_names(split.unlabelled)[0].endswith("005.png") and len(split.unlabelled) == 3
    )  # two are not in the table
    assert split.unlabelled.labels.isnan().all() and len(split.test) == 0
    assert split.notes == [
        "rows without a label, whose images are unlabelled: 1 (nan: 1); if nan is a class, give it another name",
        "2 images without any tag: none of the tags fits them; leave images whose tags are unknown out of the table",
    ]


def test_numbers_in_their_units_and_none_where_the_cell_says_so(photos):
    split = load_table(photos, ["-1", "2.5", "1e3", "n/a", "", "+.5"], "path,age", "number:age")
    assert (split.labelled.target, split.labelled.target_name, split.labelled.classes) == ("number", "age", ())
    assert split.labelled.labels.tolist() == [-1, 2.5, 1000, 0.5]
    assert len(split.unlabelled) == 4 and split.unlabelled.hidden_labels.isnan().all()
    assert split.notes == ["rows without a label, whose images are unlabelled: 2 (n/a: 1, empty: 1)"]


def test_which_column_is_meant(photos):
    cells = ["a,x|y", "b,x", "a,", "b,y"]
    rows = [cell.replace(",", '","') for cell in cells]
    assert load_table(photos, rows, "path,label,tags").labelled.target == "class"
    tagged = load_table(photos, rows, "path,species,Tags", "tags:Tags").labelled
    assert (tagged.target, tagged.target_name, tagged.columns["species"][1]) == ("tags", "Tags", ("a", "b"))
    assert load_table(photos, rows, "path,species,Tags").labelled.target == "class"  # the first column
    assert load_table(photos, rows, "path,label,words", "tags:words").labelled.classes == ("x", "y")
    assert load_table(photos, rows, "path,label,tags", "class:tags").labelled.classes == ("x", "x|y", "y")
    # who asks for no target reads classes, as ever
    assert load_table(photos, ["x|y", "x", "y"], target="class").labelled.classes == ("x", "x|y", "y")


@pytest.mark.parametrize(
    ("cells", "header", "target", "words"),
    [
        (["a|b", "b|a"], "path,tags", "auto", "has the same tags, 'a|b', on every image; there is nothing to learn"),
        (["a", "a"], "path,tags", "auto", "has the same tags, 'a', on every image"),
        (["", "|"], "path,tags", "auto", "has no tag; there is nothing to learn"),
        (["3", "3.0", "nan"], "path,age", "number:age", "has the same number, 3, for every image in that column"),
        (["nan", ""], "path,age", "number:age", "has no number in that column"),
        (["1", "12,5"], "path,age", "number:age", "line 3: '12,5' is not a number; write 12.5."),
        (
            ["1", "12 kg"],
            "path,age",
            "number:age",
            "'12 kg' is not a number; numbers are written as 12.5, without units",
        ),
        (["1", "inf"], "path,age", "number:age", "'inf' is not a number"),
        (["1", "1e31"], "path,age", "number:age", "1e31 is too large"),
        (["a", "b"], "path,tags", "tags:tag", "has no column 'tag'. Did you mean tags?"),
    ],
)
def test_tables_that_are_refused(photos, cells, header, target, words):
    with pytest.raises(CaudexError) as caught:
        load_table(photos, cells, header, target)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_an_image_that_is_named_twice_says_the_same_twice(photos):
    table = photos.parent / "table.csv"
    table.write_text("path,tags\n000.png,a|b\n000.png,b|a\n001.png,c\n")
    assert len(data.load_images(str(photos), labels=str(table), target="auto").labelled) == 2
    table.write_text("path,tags\n000.png,a|b\n000.png,b\n001.png,c\n")
    assert_loading_refused("calls '000.png' both 'a|b' and 'b' (line 3). Keep one line, with its tags separated by |.",
        photos, labels=str(table), target="auto")  # fmt: skip


def test_what_goes_with_classes_or_tables_alone_is_refused(photos):
    with pytest.raises(CaudexError, match="2 labels a class cannot be kept: tags are no classes"):
        load_table(photos, ["a", "b", "a|b", ""], labels_per_class=2)
    assert_loading_refused("--target tags:x names a column of a table; give one", "digits", target="tags:x")
    for target in ("number", "colour:x", "tags:", "auto"):
        with pytest.raises(CaudexError, match="say class:COLUMN, tags:COLUMN"):
            check_target(target)


def test_a_tag_or_all_numbers_but_one_may_have_lost_their_images():
    store = InMemoryImages(torch.zeros(4, 1, 4, 4, dtype=torch.uint8), "abcd")
    tagged = ImageSet(store, torch.tensor([[1.0, 0], [0, 0], [1, 0], [0, 0]]), ("a", "b"), target="tags")
    with pytest.raises(CaudexError, match="Tag 'b' is on no readable labelled image that is left; add some"):
        split_images(UnsplitImages(tagged), None, 0, 0, 0.2, True)
    numbers = torch.tensor([2.0, 2.0, torch.nan, 2.0], dtype=torch.float64)
    with pytest.raises(CaudexError, match="have the same number, 2, on all of them; add others"):
        split_images(UnsplitImages(ImageSet(store, numbers, (), target="number")), None, 0, 0, 0.2, True)


def test_a_fifth_is_held_out_and_no_tag_is_held_out_whole():
    labels = torch.zeros(50, 3)
    labels[:25, 0], labels[49, 1], labels[48, 2] = 1, 1, 1  # two tags are on one image each
    for seed in range(20):
        rows = sample_test_rows(labels, 0.2, seed)
        assert len(rows.unique()) == 10 and rows.max() < 48
    assert torch.equal(rows, sample_test_rows(labels, 0.2, 19))
    assert len(sample_test_rows(labels[:9], 0.2, 0)) == 0
    numbers = torch.arange(20, dtype=torch.float64)
    numbers[:5] = torch.nan
    assert len(rows := sample_test_rows(numbers, 0.2, 0)) == 3 and rows.min() >= 5


def test_the_test_folder_is_left_out_where_the_table_has_tags(photos, rng):
    save_image(photos / "test" / "cat" / "0.png", rng.integers(0, 256, (8, 8), dtype=np.uint8))
    split = load_table(photos, ["a", "b", ""])
    assert len(split.labelled) + len(split.unlabelled) == 8
    assert "test is left out: its folders are classes, and the table has tags" in split.notes[-1]
