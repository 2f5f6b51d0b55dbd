"""Photos of telephones are read, upright; what may be a bomb is refused, by a limit that the user sets."""

import subprocess
import sys

import numpy as np
import pillow_heif
import pytest
from helpers.image_files import save_image, write_noise_images
from PIL import Image

from caudex import data
from caudex.data.images.decode import ImageFormat, decode_image
from caudex.data.images.opening import HEIF_ADVICE, UnreadableError

LANDSCAPE = np.zeros((64, 96, 3), np.uint8)
LANDSCAPE[:, 48:] = 255  # white on the right


@pytest.fixture(autouse=True)
def _heif_can_be_written():
    pillow_heif.register_heif_opener()


def reason_of(path, **limits):
    with pytest.raises(UnreadableError) as caught:
        decode_image(str(path), ImageFormat((3, 16, 16), **limits))
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["heic", "HIF", "avif", "jpg"])
def test_photos_of_telephones_stand_upright(tmp_path, suffix):
    # orientation 6: to be turned a quarter clockwise, so that what is white on the right comes to lie below
    exif = Image.Exif()
    exif[274] = 6
    kind = {"heic": "HEIF", "HIF": "HEIF"}.get(suffix)
    path = save_image(tmp_path / f"a.{suffix}", LANDSCAPE, exif=exif.tobytes(), format=kind, quality=95)
    pixels = decode_image(str(path), ImageFormat((3, 48, 32)))
    assert pixels[:, :20].max() < 12 and pixels[:, -20:].min() > 243
    padded = decode_image(str(path), ImageFormat((1, 48, 48), pad=True))[0]
    assert (padded[:, :8] == 117).all() and (padded[:, -8:] == 117).all() and padded[:20, 8:-8].max() < 12


def test_a_heic_of_more_than_eight_bits(tmp_path):
    ramp = np.linspace(0, 65_535, 64 * 64).astype(np.uint16).reshape(64, 64)
    colours = np.stack([ramp, ramp[::-1], ramp], 2)
    for name, mode, pixels in (("grey", "L;16", ramp), ("colour", "RGB;16", colours)):
        pillow_heif.from_bytes(mode, (64, 64), pixels.tobytes()).save(tmp_path / f"{name}.heic", quality=-1)
    grey = decode_image(str(tmp_path / "grey.heic"), ImageFormat((1, 64, 64), (0, 65_535)))[0]
    assert np.abs(grey - ramp / 257).max() < 2
    colour = decode_image(str(tmp_path / "colour.heic"), ImageFormat((3, 64, 64)))
    assert np.abs(colour - colours.transpose(2, 0, 1) / 257).max() < 12


def test_a_thumbnail_is_read_where_it_is_large_enough(tmp_path):
    pixels = np.repeat(np.repeat(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8), 16, 0), 16, 1)
    image = pillow_heif.from_pillow(Image.fromarray(pixels))
    image.save(tmp_path / "a.heic", thumbnails=[64])
    image.save(tmp_path / "b.heic")
    one, other = (decode_image(str(tmp_path / name), ImageFormat((3, 16, 16))) for name in ("a.heic", "b.heic"))
    assert np.abs(one.astype(int) - other).mean() < 4


def test_what_a_file_is_says_its_content_not_its_name(tmp_path):
    photo = save_image(tmp_path / "a.heic", LANDSCAPE)
    photo.rename(tmp_path / "a.jpg")
    assert decode_image(str(tmp_path / "a.jpg"), ImageFormat((3, 16, 16))).shape == (3, 16, 16)


@pytest.mark.parametrize("suffix, reason", [("heic", "a broken HEIC file"), ("avif", "a broken AVIF file")])
def test_what_is_cut_says_so(tmp_path, suffix, reason, rng):
    photo = save_image(tmp_path / f"a.{suffix}", rng.integers(0, 256, (64, 96, 3), dtype=np.uint8))
    content = photo.read_bytes()
    for length in (20, 200, len(content) - 300):
        photo.write_bytes(content[:length])
        assert reason_of(photo) == reason or "end of file" in reason_of(photo)
    photo.write_bytes(b"\0\0\0\x18ftypqt  " + content[12:])
    assert reason_of(photo) == "not an image"
    photo.unlink()
    assert reason_of(photo) == "not there, or no longer"


def test_without_the_package_photos_are_skipped_with_what_to_install(tmp_path, rng):
    root = write_noise_images(tmp_path / "photos", rng, {"a": 5, "b": 5})
    save_image(root / "labelled/a/a.heic", LANDSCAPE)
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from caudex import data\n"
        "from caudex.data.images.decode import ImageFormat\n"
        f"print(data.load_images({str(root)!r}).skipped[0][1])\n"
        f"print(data.read_images([{str(root)!r}, {str(root / 'labelled/a/a.heic')!r}], ImageFormat((1, 8, 8))).skipped[1][1])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert output.stdout.splitlines() == [HEIF_ADVICE] * 2, output.stderr


@pytest.mark.parametrize("suffix", ["png", "heic", "avif"])
def test_the_limit_of_pixels_is_the_users(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # in the place of 89 million
    photo = save_image(tmp_path / f"a.{suffix}", LANDSCAPE)
    limit = ImageFormat((3, 16, 16), max_pixels=96 * 64 - 1)
    message = "over 6,143 pixels, a decompression bomb? Of images, --max-pixels raises the limit"
    assert data.read_images([str(photo)], limit._replace(max_pixels=500)).skipped[0][1].startswith("over 500 pixels")
    assert data.read_images([str(photo)], limit).skipped == [(str(photo), message)]
    assert len(data.read_images([str(photo)], limit._replace(max_pixels=96 * 64)).images) == 1
