"""Each format is decoded to known pixels; what cannot be decoded is left out and reported."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.image_files import assert_loading_refused, image_names, save_image, write_noise_images
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image
from pytest import approx

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data.images import stores
from caudex.data.images.decode import ImageFormat, cropped_share, decode_image, decode_thumbnail

# -- decoding ------------------------------------------------------------------------------------------------------


def test_exif_rotation_is_applied(tmp_path):
    pixels = np.zeros((8, 8), dtype=np.uint8)
    pixels[:4] = 255  # white above
    exif = Image.Exif()
    exif[274] = 6  # to be turned a quarter clockwise: white on the right
    path = save_image(tmp_path / "turned.png", pixels, exif=exif)
    turned = decode_image(str(path), ImageFormat((1, 8, 8)))[0]
    assert (turned[:, 4:] == 255).all()
    assert (turned[:, :4] == 0).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_see_through_parts_become_white(tmp_path, mode):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 8))
    path = tmp_path / "alpha.png"
    image.convert(mode).save(path)
    assert np.array_equal(
        decode_image(str(path), ImageFormat((1, 8, 8)))[0], np.tile(np.uint8([0] * 4 + [255] * 4), (8, 1))
    )


def test_sixteen_bits_palette_and_bilevel(tmp_path):
    ramp = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1040
    assert np.array_equal(
        decode_image(str(save_image(tmp_path / "16.png", ramp)), ImageFormat((1, 8, 8)))[0], (ramp / 257).round()
    )
    assert np.array_equal(
        decode_image(str(save_image(tmp_path / "16.tif", ramp)), ImageFormat((1, 8, 8)))[0], (ramp / 257).round()
    )
    Image.fromarray(ramp > 30_000).save(tmp_path / "1.png")
    assert np.array_equal(decode_image(str(tmp_path / "1.png"), ImageFormat((1, 8, 8)))[0], (ramp > 30_000) * 255)
    colours = np.zeros((8, 8, 3), dtype=np.uint8)
    colours[:4] = (200, 10, 30)
    Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "p.gif")
    assert np.array_equal(decode_image(str(tmp_path / "p.gif"), ImageFormat((3, 8, 8))), colours.transpose(2, 0, 1))
    Image.fromarray(colours).convert("CMYK").save(tmp_path / "c.jpg", quality=100)
    assert (
        np.abs(decode_image(str(tmp_path / "c.jpg"), ImageFormat((3, 8, 8)))[:, 0, 0].astype(int) - (200, 10, 30)).max()
        < 12
    )


def test_the_first_frame_of_an_animation(tmp_path):
    first, second = (Image.new("L", (8, 8), value) for value in (40, 200))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert (decode_image(str(tmp_path / "a.gif"), ImageFormat((1, 8, 8))) == 40).all()


def test_the_centre_is_cut_out_of_what_is_not_square(tmp_path):
    stripes = np.repeat(np.uint8([10, 100, 200]), 8)[None].repeat(8, 0)  # 8 x 24: three squares
    assert (decode_image(str(save_image(tmp_path / "wide.png", stripes)), ImageFormat((1, 8, 8))) == 100).all()
    assert (decode_image(str(save_image(tmp_path / "high.png", stripes.T.copy())), ImageFormat((1, 8, 8))) == 100).all()


def test_how_much_was_cropped_is_reported(tmp_path):
    assert cropped_share((8, 8), (5, 5)) == 0 and cropped_share((24, 8), (8, 8)) == approx(2 / 3) == cropped_share(
        (8, 24), (8, 8)
    )
    noise = np.random.default_rng(0).integers(0, 256, (12, 400, 20), np.uint8)
    sides = {"long.png": (400, 20), "photo.png": (30, 20), "film.png": (32, 20), "square.png": (20, 20)}
    for name, (height, width) in sides.items():
        save_image(tmp_path / "labelled" / name[0] / name, noise[len(name), :height, :width])
    split = data.load_images(str(tmp_path))
    apportion = dict(zip((Path(split.labelled.name(i)).name for i in range(4)), split.labelled.cropped_shares.tolist()))
    assert apportion == approx({"long.png": 0.95, "photo.png": 1 / 3, "film.png": 0.375, "square.png": 0})
    stream = data.ImageStream(data.image_files([str(tmp_path)])[0], ImageFormat((1, 16, 16)))
    assert [batch.names for batch in stream] == [stream.names]
    (notes,) = stream.notes()
    assert notes.startswith("2 of 4 images are far from square: over a third of each is cut away, most of ")
    assert "long.png (95%); training with --pad keeps them whole" in notes
    assert data.ImageStream([str(tmp_path / "labelled/p/photo.png")], ImageFormat((1, 16, 16))).notes() == []
    np.savez(tmp_path / "wide.npz", x=noise[:, :40], y=np.arange(12) % 2)  # 40 high, 20 wide
    assert data.load_images(str(tmp_path / "wide.npz"), size=16).labelled.cropped_shares.eq(0.5).all()


def test_shrinking_does_not_alias(tmp_path):
    board = np.indices((64, 64)).sum(0).astype(np.uint8) % 2 * 255  # a chessboard of single pixels: grey from afar
    shrunk = decode_image(str(save_image(tmp_path / "board.png", board)), ImageFormat((1, 8, 8)))
    assert abs(shrunk.astype(int) - 127).max() < 10


@given(
    some.integers(4, 40),
    some.integers(4, 40),
    some.sampled_from(["L", "RGB", "RGBA", "P", "1", "LA", "I;16"]),
    some.sampled_from([1, 3]),
    some.integers(4, 20),
)
@settings(max_examples=60, deadline=None)
def test_one_colour_stays_one_colour_at_any_size_and_in_any_mode(width, height, mode, channels, size):
    image = Image.new(mode, (width, height), "white" if mode != "I;16" else 65_535)
    assert (decode_image(image, ImageFormat((channels, size, size))) == 255).all()
    assert decode_image(image, ImageFormat((channels, size, size + 3))).shape == (channels, size, size + 3)


def test_size_and_channels_are_chosen_from_the_files(tmp_path, rng):
    grey = rng.integers(0, 256, (28, 28), dtype=np.uint8)
    for i in range(3):
        save_image(tmp_path / f"{'ab'[i % 2]}/{i}.png", np.roll(grey, i))
    save_image(tmp_path / "a/rgb.png", np.stack([grey[::-1]] * 3, axis=2))  # grey, though stored as colour
    assert data.load_images(str(tmp_path)).labelled.shape == (1, 28, 28)
    save_image(tmp_path / "b/colour.png", rng.integers(0, 256, (20, 50, 3), dtype=np.uint8))
    assert data.load_images(str(tmp_path)).labelled.shape == (3, 28, 28)  # the median shorter side
    for i in range(9):
        save_image(tmp_path / f"b/large{i}.png", rng.integers(0, 256, (200, 100), dtype=np.uint8))
    assert data.load_images(str(tmp_path)).labelled.shape == (3, 32, 32)
    assert data.load_images(str(tmp_path), size=12).labelled.shape == (3, 12, 12)


# -- what cannot be read -------------------------------------------------------------------------------------------


def write_broken_images(folder, rng):
    """Five files that cannot be read."""
    image = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
    save_image(folder / "zz-cut.jpg", image)
    (folder / "zz-cut.jpg").write_bytes((folder / "zz-cut.jpg").read_bytes()[:900])
    (folder / "zz-empty.png").touch()
    (folder / "zz-text.png").write_text("hello")
    save_image(folder / "zz-tiny.png", image[:1, :1])
    Image.new("1", (20_000, 20_000)).save(folder / "zz-bomb.png")


@pytest.mark.parametrize("limit", [10**9, 8 * 8 * 100])
def test_broken_images_are_left_out_and_reported(tmp_path, rng, monkeypatch, limit):
    monkeypatch.setattr(stores, "MEMORY_LIMIT", limit)
    root = write_noise_images(tmp_path, rng, {"a": 30, "b": 20}, unlabelled=100)
    write_broken_images(root / "labelled/b", rng)
    split = data.load_images(str(root), size=8, test_share=0)
    assert split.labelled.labels.bincount().tolist() == [30, 20]
    assert split.labelled.in_memory
    assert split.unlabelled.in_memory == (limit == 10**9)
    reasons = {path.rsplit("/", 1)[1]: reason for path, reason in split.skipped}
    assert sorted(reasons) == ["zz-bomb.png", "zz-cut.jpg", "zz-empty.png", "zz-text.png", "zz-tiny.png"]
    assert (
        reasons["zz-bomb.png"]
        == "over 89,478,485 pixels, a decompression bomb? Of images, --max-pixels raises the limit"
    )
    assert "truncated" in reasons["zz-cut.jpg"]
    assert reasons["zz-empty.png"] == "an empty file"
    assert reasons["zz-text.png"] == "not an image"
    assert reasons["zz-tiny.png"] == "1 x 1 pixels; a side needs at least 4"


def test_more_than_a_twentieth_broken_is_refused(tmp_path, rng):
    root = write_noise_images(tmp_path, rng, {"a": 40, "b": 40})
    write_broken_images(root / "labelled/b", rng)
    message = assert_loading_refused("5 of 85 images cannot be read, more than 5%; the first is", root)
    assert "zz-bomb.png" in message
    for path in (root / "labelled").rglob("0*.png"):
        path.write_text("hello")
    assert_loading_refused("can be read", root)


def test_a_class_that_was_all_broken_is_refused(tmp_path, rng):
    root = write_noise_images(tmp_path, rng, {"a": 50, "b": 1})
    (root / "labelled/b/000.png").write_text("hello")
    assert_loading_refused("Class 'b' has no readable labelled image", root)


def test_a_bomb_that_pillow_only_warns_of_is_left_out(tmp_path, rng, monkeypatch, recwarn):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    root = write_noise_images(tmp_path, rng, {"a": 20, "b": 20})
    save_image(root / "labelled/a/large.png", rng.integers(0, 256, (12, 12), dtype=np.uint8))
    reasons = [reason for _, reason in data.load_images(str(root), max_pixels=100).skipped]
    assert reasons == ["over 100 pixels, a decompression bomb? Of images, --max-pixels raises the limit"]
    assert not [each for each in recwarn if issubclass(each.category, Image.DecompressionBombWarning)]


# -- decoded on demand ---------------------------------------------------------------------------------------------


def test_a_large_set_is_decoded_on_demand_to_the_same_pixels(tmp_path, rng, monkeypatch):
    root = write_noise_images(tmp_path, rng, {"a": 20, "b": 20}, unlabelled=60)
    all_images = data.load_images(str(root), labels_per_class=3)
    monkeypatch.setattr(stores, "MEMORY_LIMIT", 8 * 8 * 50)
    stream = data.load_images(str(root), labels_per_class=3)
    assert (all_images.unlabelled.in_memory, stream.unlabelled.in_memory) == (True, False)
    assert stream.labelled.in_memory
    assert stream.test.in_memory
    for part in ("labelled", "unlabelled", "test"):
        one, other = getattr(all_images, part), getattr(stream, part)
        assert image_names(one) == image_names(other)
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.fetch(slice(None)), other.fetch(slice(None)))
        assert one.hashes() == other.hashes()


def test_a_stream_goes_to_worker_processes(tmp_path, rng, monkeypatch):
    monkeypatch.setattr(stores, "MEMORY_LIMIT", 100)
    many = data.load_images(str(write_noise_images(tmp_path, rng, {"a": 1, "b": 1}, unlabelled=9))).unlabelled
    assert torch.equal(pickle.loads(pickle.dumps(many)).fetch([8, 2]), many.fetch([8, 2]))


def test_a_stream_marks_what_it_cannot_read(tmp_path, rng, monkeypatch):
    root = write_noise_images(tmp_path, rng, {"a": 20, "b": 20}, unlabelled=60)
    monkeypatch.setattr(stores, "MEMORY_LIMIT", 8 * 8 * 50)
    many = data.load_images(str(root)).unlabelled
    for i in range(5):
        (root / f"unlabelled/{i:03}.png").write_text("hello")
    assert many.readable([4, 5, 6]).all()
    assert (many.fetch([4, 5, 6])[0] == 0).all()
    assert many.readable([4, 5, 6]).tolist() == [False, True, True]
    assert many.store.unreadable.sum() == 1
    many.fetch(slice(None))
    assert many.store.unreadable.sum() == 5
    (root / "unlabelled/005.png").unlink()
    with pytest.raises(CaudexError, match="6 of 100 images cannot be read"):
        many.fetch([5])


def test_a_thumbnail_is_whole_upright_on_white_and_never_larger(tmp_path):
    photo = np.zeros((900, 1800, 3), dtype=np.uint8)
    photo[:, :900, 0] = 255  # red at the left, which the tag turns to the top
    exif = Image.Exif()
    exif[0x0112] = 6
    save_image(tmp_path / "turned.jpg", photo, exif=exif)
    thumbnail = decode_thumbnail(str(tmp_path / "turned.jpg"), 1000)
    assert (thumbnail.size, thumbnail.mode) == ((500, 1000), "RGB")
    assert thumbnail.getpixel((250, 200))[0] > 250 and thumbnail.getpixel((250, 800))[0] < 5
    save_image(tmp_path / "deep.png", np.linspace(0, 60_000, 200).reshape(10, 20).astype(np.uint16))
    deep = decode_thumbnail(str(tmp_path / "deep.png"), 1000)
    assert (deep.size, deep.mode, deep.getextrema()) == ((20, 10), "L", (0, 60_000 // 257))
    save_image(tmp_path / "clear.png", np.zeros((8, 4000, 4), dtype=np.uint8))
    clear = decode_thumbnail(str(tmp_path / "clear.png"), 1000)
    assert (clear.size, clear.getpixel((0, 0))) == ((1000, 2), (255, 255, 255))
