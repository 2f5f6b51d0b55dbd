"""From an image file to pixels: upright, on white, grey or colour, of one size."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import get_worker_info

from caudex.core.errors import CaudexError, short_message
from caudex.core.progress import track

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # only these: Pillow would hand .eps to Ghostscript
UNREADABLE_AT_MOST = 0.05
SMALLEST_SIDE = 4
LEAST_CHOSEN = 16  # what is smaller is enlarged: digits of 8 x 8 are learned better so (docs/noisy-student.md)
SAMPLE = 64
MUCH = 1 / 3 + 1e-6  # of an image; photographs are up to half as long again as they are high
CHUNK = 32


class Unreadable(Exception):
    """An image that is left out, and why."""


def decode(source: str | Image.Image, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 [C, H, W] of a path or a PIL image: shrunk until it just covers H x W, then cut at the centre.

    Raises Unreadable with the reason.
    """
    return fitted(source, shape)[0]


def fitted(source: str | Image.Image, shape: tuple[int, int, int]) -> tuple[np.ndarray, float]:
    """What `decode` returns, and the share of the image that was cut away."""
    channels, height, width = shape
    with opened(source) as image:
        if image.format in ("JPEG", "MPO"):  # decodes at 1/2, 1/4, 1/8 where that is still twice the wanted size
            image.draft("L" if channels == 1 else "RGB", (2 * width, 2 * height))
        image = _plain(image)
        cut = share_cut(image.size, (width, height))
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(height, width, -1)
        return pixels.transpose(2, 0, 1), cut


def share_cut(size: tuple[int, int], wanted: tuple[int, int]) -> float:
    """The share of an image of this width and height that does not fit into another form: 0.5 of 2 x 1 in a square."""
    form = size[0] * wanted[1] / (size[1] * wanted[0])
    return 1 - min(form, 1 / form)


def far_off(names: Iterable[str], cut: Tensor, shape: tuple[int, int, int]) -> str:
    """A sentence on images of which much was cut away, [N]; "" where there are none."""
    _, height, width = shape
    count = int((cut > MUCH).sum())
    if not count:
        return ""
    form = "square" if height == width else f"the form {width} x {height}"
    most = next(islice(names, int(cut.argmax()), None))
    return (
        f"{count:,} of {len(cut):,} images are far from {form}: over a third of each is cut away, most of "
        f"{most} ({cut.max():.0%}); cut or pad them yourself if that matters"
    )


def decode_many(
    names: Sequence[str], rows: Iterable[int], shape: tuple[int, int, int], progress: bool = False
) -> tuple[Tensor, list[tuple[int, str]], Tensor]:
    """The images `rows` of `names`: uint8 [B, C, H, W], (place among rows, reason) of the unreadable, left zero, and
    the share of each that was cut away, [B].

    Decodes on several threads, as Pillow lets go of the interpreter; on one inside a DataLoader's worker process.
    """
    rows = torch.as_tensor(rows)
    images = torch.zeros(len(rows), *shape, dtype=torch.uint8)
    pixels, cut, skipped = images.numpy(), torch.zeros(len(rows)), []
    source = getattr(names, "open", names.__getitem__)

    def fill(start: int) -> None:
        for place, row in enumerate(rows[start : start + CHUNK].tolist(), start):
            try:
                pixels[place], cut[place] = fitted(source(row), shape)
            except Unreadable as reason:
                skipped.append((place, str(reason)))

    starts = range(0, len(rows), CHUNK)
    with no_bomb_warnings():
        if len(starts) < 2 or get_worker_info() is not None:
            for start in starts:
                fill(start)
        else:
            pool = ThreadPoolExecutor(torch.get_num_threads())
            try:
                for _ in track(pool.map(fill, starts), "reading images", len(starts), silent=not progress):
                    pass
            finally:
                pool.shutdown(cancel_futures=True)  # so that Ctrl-C need not wait for all the others
    return images, sorted(skipped), cut


def common_shape(names: Sequence[str], size: int) -> tuple[int, int, int]:
    """The (C, H, W) for a set, from a sample of 64: one channel if all are grey; `size` 0 means a small square size
    that all share, else the median shorter side, at most 32; at least 16 in any case. CaudexError if none of the sample can be read."""
    rows = torch.linspace(0, len(names) - 1, min(SAMPLE, len(names))).round().long().unique().tolist()
    source = getattr(names, "open", names.__getitem__)
    sizes, grey, unreadable = [], True, []
    with no_bomb_warnings():
        for row in rows:
            try:
                with opened(source(row)) as image:
                    shown = image.size
                    image.draft(None, (64, 64))
                    plain = _plain(image)
            except Unreadable as reason:
                unreadable.append((names[row], reason))
                continue
            sizes.append(shown)
            grey = grey and _is_grey(plain)
    if not sizes:
        name, reason = unreadable[0]
        raise CaudexError(f"None of {len(unreadable):,} images tried can be read; the first is {name} ({reason}).")
    if not size:
        width, height = sizes[0]
        shared = width == height <= 64 and len(set(sizes)) == 1
        size = width if shared else min(32, int(statistics.median(min(each) for each in sizes)))
        size = max(size, LEAST_CHOSEN)
    return (1 if grey else 3, size, size)


@contextmanager
def opened(source: str | Image.Image):
    """The image of a source, looked at before its pixels are decoded; whatever goes wrong inside is Unreadable."""
    try:
        if not isinstance(source, Image.Image):
            if Path(source).stat().st_size == 0:
                raise Unreadable("an empty file")
            source = Image.open(source, formats=FORMATS)
        with source as image:
            width, height = image.size
            if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:  # from twice that on Pillow raises
                raise Image.DecompressionBombError
            if min(width, height) < SMALLEST_SIDE:
                raise Unreadable(f"{width} x {height} pixels; a side needs at least {SMALLEST_SIDE}")
            yield image
    except Unreadable:
        raise
    except Image.UnidentifiedImageError:
        raise Unreadable("not an image") from None
    except Image.DecompressionBombError:
        raise Unreadable(f"over {Image.MAX_IMAGE_PIXELS:,} pixels, a decompression bomb?") from None
    except Exception as error:  # Pillow's readers raise nearly every kind on broken files
        raise Unreadable(short_message(error)) from None


def _plain(image: Image.Image) -> Image.Image:
    """Upright, mode L or RGB, the first frame, see-through parts on white."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("L" if image.mode == "1" else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion cuts 16 bits off at 255; whole numbers are scaled from 65,535, fractions from 1."""
    values = np.asarray(image).astype(np.float32)
    full = 65_535 if image.mode.startswith("I") else 1 if values.max() <= 1 else 255
    return Image.fromarray((values * (255 / full)).round().clip(0, 255).astype(np.uint8))


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "L":
        return True
    red, green, blue = (np.asarray(channel) for channel in image.split())
    return np.array_equal(red, green) and np.array_equal(green, blue)


@contextmanager
def no_bomb_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield
