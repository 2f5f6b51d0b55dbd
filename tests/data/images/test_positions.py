"""Photos with the place of an object."""

import pytest
import torch
from PIL import Image

from caudex.core.errors import CaudexError
from caudex.data.images.decode import ImageFormat
from caudex.data.images.positions import read_positions

FORMAT = ImageFormat((3, 16, 16))


def write_photos(folder, table, names=("a.png", "b.png", "c.png")):
    for shade, name in enumerate(names):
        Image.new("RGB", (20, 16), (10 * shade, 0, 0)).save(folder / name)
    if table is not None:
        (folder / "positions.csv").write_text(table)
    return folder


def test_photos_come_with_their_places_whatever_the_order_of_columns(tmp_path):
    folder = write_photos(tmp_path, "y,path,x\n-2.5,c.png,10\n1,a.png,0\n,b.png,3\n")
    photos = read_positions(folder, FORMAT)
    assert photos.positions.tolist() == [[10, -2.5], [0, 1]] and photos.positions.dtype == torch.float64
    assert photos.images[:, 0, 0, 0].tolist() == [20, 0]
    assert photos.skipped == [(str(folder / "b.png"), "no position")]


def test_a_photo_that_cannot_be_read_is_left_out(tmp_path):
    folder = write_photos(tmp_path, "path,x,y\na.png,1,2\nb.png,3,4\n")
    (folder / "a.png").write_bytes(b"no image")
    photos = read_positions(folder, FORMAT)
    assert photos.positions.tolist() == [[3, 4]] and [path for path, _ in photos.skipped] == [str(folder / "a.png")]


@pytest.mark.parametrize(
    ("table", "because"),
    [
        (None, "has no positions.csv. The table needs path,x,y"),
        ("path,x\na.png,1\n", "has no column 'y'"),
        ("path,x,y\nd.png,1,2\n", "names .*d.png, which is not there"),
        ("path,x,y\na.png,1,left\n", "line 2: 'left' is not a number"),
        ("path,x,y\na.png,1,2\na.png,1,3\n", "both '2' and '3'"),
        ("path,x,y\na.png,nan,2\n", "no photo with both x and y"),
        ("path,x,y\n", "names no photo"),
        ("", "is empty"),
    ],
)
def test_tables_that_will_not_do_are_refused_in_a_sentence(tmp_path, table, because):
    with pytest.raises(CaudexError, match=because):
        read_positions(write_photos(tmp_path, table), FORMAT)
