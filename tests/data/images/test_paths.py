"""Paths come out as they went in, and take little memory."""

import os

from helpers.image_files import image_names, write_noise_images
from hypothesis import given
from hypothesis import strategies as some

from caudex import data
from caudex.data.images.paths import ImagePaths, image_finder

# -- folders -------------------------------------------------------------------------------------------------------


@given(some.lists(some.binary(min_size=1).filter(lambda name: b"/" not in name and b"\0" not in name)))
def test_paths_come_out_as_they_went_in(given):
    paths = ImagePaths("/root")
    assert paths.add(given) == len(paths) == len(given)
    assert [os.fsencode(paths.source(i)) for i in range(len(given))] == [b"/root/" + name for name in given]
    assert all(paths[i].encode() for i in range(len(given)))


def test_names_that_are_not_utf8_are_read(tmp_path, rng):
    root = write_noise_images(tmp_path, rng, {"a": 2, "b": 2})
    (root / "labelled/a/000.png").rename(root / "labelled/a" / os.fsdecode(b"\xff.png"))
    split = data.load_images(str(root))
    assert len(split.labelled) == 4
    assert image_names(split.labelled)[1].endswith(r"\xff.png")


# -- cost ----------------------------------------------------------------------------------------------------------


def test_a_folder_is_walked_without_a_string_for_each_file(tmp_path, rng):
    for i in range(300):
        (tmp_path / f"{i:06}.png").touch()
    paths = ImagePaths(tmp_path)
    assert paths.add(image_finder(tmp_path).below()) == 300
    assert len(paths.buffer) + paths.ends.itemsize * len(paths) == 300 * (10 + 8)
