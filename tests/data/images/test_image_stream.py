"""Files to predict are read batch by batch, the next one meanwhile; what cannot be read is named and stops nothing."""

import threading

import numpy as np
import pytest
import torch
from helpers.image_files import save_image
from pytest import approx

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data.images import image_stream
from caudex.data.images.decode import ImageFormat

FORMAT = ImageFormat((1, 8, 8))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Eleven images, of which image i has the value 10 i; in batches of four."""
    monkeypatch.setattr(image_stream, "MAX_BATCH", 4)
    for i in range(11):
        save_image(tmp_path / f"new/{i:02}.png", np.full((8, 8), 10 * i, np.uint8))
    return tmp_path / "new"


def test_batches_come_in_order_with_their_names(folder):
    names, skipped = data.image_files([str(folder)])
    batches = list(data.ImageStream(names, FORMAT))
    assert [len(batch.images) for batch in batches] == [4, 4, 3] and skipped == []
    assert torch.cat([batch.images[:, 0, 0, 0] for batch in batches]).tolist() == list(range(0, 110, 10))
    assert [name for batch in batches for name in batch.names] == names
    read = data.read_images([str(folder)], FORMAT)
    assert torch.equal(read.images, torch.cat([batch.images for batch in batches])) and read.names == names


def test_the_next_batch_is_decoded_while_the_model_works(folder, monkeypatch):
    decoded, decode_images = threading.Semaphore(0), image_stream.decode_images

    def decode(*arguments):
        decoded.release()
        return decode_images(*arguments)

    monkeypatch.setattr(image_stream, "decode_images", decode)
    batches = iter(data.ImageStream(data.image_files([str(folder)])[0], FORMAT))
    next(batches)
    assert decoded.acquire(timeout=10) and decoded.acquire(timeout=10)
    assert not decoded.acquire(timeout=0.1)  # one ahead, not all
    batches.close()


def test_what_breaks_or_vanishes_meanwhile_is_named(folder):
    names, _ = data.image_files([str(folder)])
    (folder / "05.png").unlink()
    (folder / "06.png").write_text("hello")
    batches = list(data.ImageStream(names, FORMAT))
    assert [pair for batch in batches for pair in batch.skipped] == [
        (names[5], "not there, or no longer"),
        (names[6], "not an image"),
    ]
    assert batches[1].images[:, 0, 0, 0].tolist() == [40, 70] and batches[1].names == [names[4], names[7]]


def test_nothing_readable_is_an_empty_batch(folder):
    (folder / "12.png").touch()
    (batch,) = data.ImageStream([str(folder / "12.png")], FORMAT)
    assert batch.images.shape == (0, 1, 8, 8) and len(batch.skipped) == 1


def test_large_images_come_fewer_at_a_time(tmp_path):
    names = [str(save_image(tmp_path / f"{i}.png", np.zeros((8, 8), np.uint8))) for i in range(9)]
    sizes = [len(batch.images) for batch in data.ImageStream(names, ImageFormat((3, 1024, 1024)))]
    assert sizes == [2, 2, 2, 2, 1]


def test_one_range_holds_for_all_of_more_than_eight_bits(tmp_path):
    names = [str(save_image(tmp_path / f"{i}.png", np.full((8, 8), 409 * i, np.uint16))) for i in range(11)]
    stream = data.ImageStream(names, FORMAT)
    (batch,) = stream
    assert batch.images[:, 0, 0, 0].tolist() == approx([25.5 * i for i in range(11)], abs=1)
    assert stream.notes() == ["images of more than 8 bits are scaled from 0 to 4,095, by a sample of the set"]


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(CaudexError, match=r"has no image; looked for \.png, "):
        data.image_files([str(tmp_path)])
