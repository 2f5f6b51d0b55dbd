"""Labels in tables."""

import numpy as np
import pytest
from helpers.image_files import assert_loading_refused, image_names, save_image, write_noise_images

from caudex import data


@pytest.fixture
def unlabelled_folder(tmp_path, rng):
    return write_noise_images(tmp_path / "pile", rng, unlabelled=6) / "unlabelled"


def write_text(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_a_table_labels_some_and_the_rest_is_unlabelled(unlabelled_folder, tmp_path):
    few = write_text(tmp_path / "few.csv", "path,label\n003.png,dog\n000.png, cat\n\n./003.png,dog\n004.png,\n")
    split = data.load_images(str(unlabelled_folder), labels=few)
    assert split.labelled.classes == ("cat", "dog")
    assert [(name[-7:], label) for name, label in zip(image_names(split.labelled), split.labelled.labels.tolist())] == [
        ("000.png", 0),
        ("003.png", 1),
    ]
    assert len(split.unlabelled) == 4
    assert split.labelled.columns == {}


def test_a_table_may_lie_beside_its_images_or_name_others(unlabelled_folder, tmp_path, rng):
    save_image(tmp_path / "far.png", rng.integers(0, 256, (8, 8), dtype=np.uint8))
    inside = write_text(
        unlabelled_folder / "few.csv", f"\ufeffpath;label\n000.png;a\n001.png;b\n{tmp_path / 'far.png'};b\n"
    )
    split = data.load_images(inside)
    assert (len(split.labelled), len(split.unlabelled)) == (3, 4)
    beside = write_text(
        tmp_path / "few.csv", f"path,label\n{unlabelled_folder.parent.name}/unlabelled/000.png,a\nfar.png,b\n"
    )
    assert image_names(data.load_images(str(unlabelled_folder), labels=beside).labelled)[0] == str(
        unlabelled_folder / "000.png"
    )


def test_several_columns_of_labels(unlabelled_folder, tmp_path):
    text = "species,path,colour\ncat,000.png,red\ndog,001.png,blue\ncat,002.png,\n,003.png,blue\n"
    split = data.load_images(str(unlabelled_folder), labels=write_text(tmp_path / "few.csv", text))
    assert split.labelled.classes == ("cat", "dog")
    assert split.labelled.columns["colour"][0].tolist() == [1, 0, -1]
    assert split.labelled.columns["colour"][1] == ("blue", "red")
    assert split.labelled.columns["species"][0].tolist() == [0, 1, 0]


def test_a_test_folder_beside_a_table(unlabelled_folder, tmp_path, rng):
    write_noise_images(unlabelled_folder, rng, test={"cat": 2, "dog": 1})
    few = write_text(tmp_path / "few.csv", "path,label,colour\n000.png,cat,red\n001.png,dog,blue\n")
    split = data.load_images(str(unlabelled_folder), labels=few)
    assert (len(split.labelled), len(split.unlabelled), split.test.labels.tolist()) == (2, 4, [0, 0, 1])
    few = write_text(tmp_path / "few.csv", "path,label\n000.png,cat\ntest/dog/000.png,dog\n")
    split = data.load_images(str(unlabelled_folder), labels=few)
    assert (len(split.labelled), len(split.unlabelled), len(split.test)) == (2, 7, 0)


@pytest.mark.parametrize(
    "text, words",
    [
        (
            "file,class\n000.png,a\n",
            "has no column 'path'. It has: file, class. The table needs `path` and at least one",
        ),
        ("path\n000.png\n", "has the column `path` alone. The table needs"),
        ("", "is empty, or its first line is"),
        ("path,label,label\n000.png,a,b\n", "has 2 columns 'label'; rename or remove all but one"),
        ("Path,PATH,label\n000.png,a,b\n", "has 2 columns 'Path' and 'PATH'; rename"),
        ("path,label,\n000.png,a,b\n", "column 3 has no name; give it one, or remove it"),
        (",path,label\nx,000.png,a\n", "line 2: the first column has no name, and 'x' is no number of a row"),
        ("path,label\n000.png,a\n001.png,\0b\n", "line 3 has a NUL byte"),
        ("path,label\n000.png,a\n001.png,b\nx.png,b\ny.png,a\n", "files that are not there (2), the first is 'x.png'"),
        ("path,label\n000.png,a\n001.png,b\n./000.png,b\n", "both 'a' and 'b' (line 4)"),
        ("path,label\n000.png,a\n001.png,b,c\n", "line 3: '001.png,b,c' does not fit"),
        ("path,label\n,a\n", "line 2"),
        ("path,label\n000.png,a\n", "one class, 'a'"),
        ("path,label\n", "no label"),
    ],
)
def test_tables_that_are_refused(unlabelled_folder, tmp_path, text, words):
    assert_loading_refused(words, unlabelled_folder, labels=write_text(tmp_path / "few.csv", text))


@pytest.mark.parametrize(
    "header, start",
    [
        ("path,label", "{name}"),
        ("Path,LABEL", "{name}"),
        (",path,label", "{row},{name}"),
        ("Unnamed: 0,path,label", "{row},{name}"),
    ],
)
def test_headers_as_pandas_and_people_write_them(unlabelled_folder, tmp_path, header, start):
    rows = "".join(f"{start},{label}\n".format(row=i, name=f"00{i}.png") for i, label in enumerate("abab"))
    split = data.load_images(str(unlabelled_folder), labels=write_text(tmp_path / "few.csv", f"{header}\n{rows}"))
    assert (split.labelled.classes, split.labelled.labels.tolist(), split.notes) == (("a", "b"), [0, 1, 0, 1], [])


def test_a_column_of_identifiers_is_not_taken_for_the_labels(tmp_path, rng):
    root = str(write_noise_images(tmp_path / "pile", rng, unlabelled=10) / "unlabelled")

    def write(header):
        rows = "".join(f"00{i}.png,{i},{'ab'[i % 2]}\n" for i in range(10))
        return write_text(tmp_path / "few.csv", f"{header}\n{rows}")

    assert_loading_refused("column 'id' has another value in each of 10 rows", root, labels=write("path,id,species"))
    assert data.load_images(root, labels=write("path,id,label")).labelled.classes == ("a", "b")
    split = data.load_images(root, labels=write("path,label,species"))  # one label of each of ten classes
    assert len(split.labelled.classes) == 10 and "column 'label' has another value" in split.notes[0]


def test_a_table_in_another_encoding_or_not_there(unlabelled_folder, tmp_path):
    assert_loading_refused(
        "is not UTF-8 (byte 18); in cp1252 it reads '000.pngä,a'; save it as UTF-8",
        unlabelled_folder,
        labels=write_text(tmp_path / "few.csv", "path,label\n000.pngä,a", "latin-1"),
    )
    assert_loading_refused("none.csv is not there", unlabelled_folder, labels=str(tmp_path / "none.csv"))
    utf16 = write_text(tmp_path / "few.csv", "path,label\n000.png,a", "utf-16")
    assert_loading_refused("few.csv is UTF-16; save it as UTF-8", unlabelled_folder, labels=utf16)


def test_cells_that_say_that_there_is_no_label(unlabelled_folder, tmp_path):
    cells = ["cat", "dog", "-1", "nan", "None", ""]
    text = "path,label\n" + "".join(f"00{i}.png,{cell}\n" for i, cell in enumerate(cells))
    split = data.load_images(str(unlabelled_folder), labels=write_text(tmp_path / "few.csv", text))
    assert split.labelled.classes == ("cat", "dog") and len(split.unlabelled) == 4
    assert split.notes == [
        "rows without a label, whose images are unlabelled: 4 (-1: 1, nan: 1, None: 1, empty: 1); if -1 is a class, give it another name"
    ]


def test_names_are_compared_as_unicode_composes_them_and_near_ones_get_a_hint(unlabelled_folder, tmp_path):
    cells = ["caf\u00e9", "cafe\u0301", "Cat", "cat "]
    text = "path,label\n" + "".join(f"00{i}.png,{cell}\n" for i, cell in enumerate(cells))
    split = data.load_images(str(unlabelled_folder), labels=write_text(tmp_path / "few.csv", text))
    assert split.labelled.classes == ("Cat", "caf\u00e9", "cat")
    assert split.notes == ["the classes 'Cat' and 'cat' may be one; if they are, write them alike"]
