"""From an image file to pixels: upright, on white, grey or colour, of one size."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import get_worker_info

from caudex.core.errors import CaudexError, short_message
from caudex.core.progress import track
from caudex.data.images.pixel_range import PixelRange, choose_range, has_wide_pixels, range_of, to_eight_bits

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_CONVERT = "is not read; convert it to .png or .jpg"
FOREIGN_SUFFIXES = {
    suffix: f"{suffix} {_CONVERT}"
    for suffix in (
        ".heic", ".heif", ".avif", ".jxl", ".jp2", ".jfif", ".svg", ".psd", ".ppm", ".pgm", ".tga", ".ico", ".exr", ".hdr", ".dcm", ".nii",
        ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2",
    )
}  # fmt: skip
"""of images that are not read, and what to do"""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")  # only these: Pillow would hand .eps to Ghostscript
MAX_UNREADABLE_SHARE = 0.05
MIN_SIDE = 4
MIN_DEFAULT_SIDE = 16  # what is smaller is enlarged: digits of 8 x 8 are learned better so (docs/noisy-student.md)
SHAPE_SAMPLE = 64  # images from which the shape of a set is chosen
MAX_CROPPED_SHARE = 1 / 3 + 1e-6  # of an image; photographs are up to half as long again as they are high
CHUNK = 32


class UnreadableError(Exception):
    """Why an image is left out."""


class ImageFormat(NamedTuple):
    """What all images of a set become: (C, H, W), and the values that become 0 and 255 in images of more than 8 bits."""

    shape: tuple[int, int, int]
    pixel_range: PixelRange | None = None


def decode_image(
    source: str | Image.Image, shape: tuple[int, int, int], pixel_range: PixelRange | None = None
) -> np.ndarray:
    """uint8 [C, H, W] of a path or a PIL image: resized to just cover H x W, then cropped at the centre.

    Without `pixel_range` an image of more than 8 bits is scaled from its own. Raises UnreadableError with the reason.
    """
    return decode_and_crop(source, shape, pixel_range)[0]


def decode_and_crop(
    source: str | Image.Image, shape: tuple[int, int, int], pixel_range: PixelRange | None = None
) -> tuple[np.ndarray, float]:
    """What `decode_image` returns, and the share of the image that was cropped away."""
    channels, height, width = shape
    with open_image(source) as image:
        if image.format in ("JPEG", "MPO"):  # decodes at 1/2, 1/4, 1/8 where that is still twice the target size
            image.draft("L" if channels == 1 else "RGB", (2 * width, 2 * height))
        image = _to_grey_or_rgb(image, pixel_range)
        share = cropped_share(image.size, (width, height))
        image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB")).reshape(height, width, -1)
        return pixels.transpose(2, 0, 1), share


def cropped_share(size: tuple[int, int], target: tuple[int, int]) -> float:
    """The share that a centre crop to the aspect ratio of `target` removes; both (width, height). 0.5 of 2 x 1 in a square."""
    ratio = size[0] * target[1] / (size[1] * target[0])
    return 1 - min(ratio, 1 / ratio)


def describe_cropping(names: Iterable[str], cropped_shares: Tensor, shape: tuple[int, int, int]) -> str:
    """A sentence on images of which more than a third was cropped away; "" where there are none."""
    _, height, width = shape
    count = int((cropped_shares > MAX_CROPPED_SHARE).sum())
    if not count:
        return ""
    target = "square" if height == width else f"the form {width} x {height}"
    name = next(islice(names, int(cropped_shares.argmax()), None))
    return (
        f"{count:,} of {len(cropped_shares):,} images are far from {target}: over a third of each is cut away, most of "
        f"{name} ({cropped_shares.max():.0%}); cut or pad them yourself if that matters"
    )


def decode_images(
    names: Sequence[str],
    rows: Iterable[int],
    shape: tuple[int, int, int],
    pixel_range: PixelRange | None = None,
    progress: bool = False,
) -> tuple[Tensor, list[tuple[int, str]], Tensor]:
    """The images `rows` of `names`: uint8 [B, C, H, W], (index into rows, reason) of the unreadable, left zero,
    and the share of each that was cropped away, [B].

    Decodes on several threads, as Pillow lets go of the interpreter; on one inside a DataLoader's worker process.
    """
    rows = torch.as_tensor(rows)
    images = torch.zeros(len(rows), *shape, dtype=torch.uint8)
    pixels, cropped_shares, skipped = images.numpy(), torch.zeros(len(rows)), []
    source_of = getattr(names, "source", names.__getitem__)

    def fill(start: int) -> None:
        for i, row in enumerate(rows[start : start + CHUNK].tolist(), start):
            try:
                pixels[i], cropped_shares[i] = decode_and_crop(source_of(row), shape, pixel_range)
            except UnreadableError as reason:
                skipped.append((i, str(reason)))

    starts = range(0, len(rows), CHUNK)
    with ignore_bomb_warnings():
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
    return images, sorted(skipped), cropped_shares


def common_format(names: Sequence[str], size: int) -> ImageFormat:
    """The format for a set, from a sample of 64: one channel if all are grey; `size` 0 means a small square size that all
    share, else the median shorter side, at most 32; at least 16 in any case. CaudexError if none of the sample can be read."""
    rows = torch.linspace(0, len(names) - 1, min(SHAPE_SAMPLE, len(names))).round().long().unique().tolist()
    source_of = getattr(names, "source", names.__getitem__)
    sizes, grey, ranges, deep_colours, unreadable = [], True, [], {}, []
    with ignore_bomb_warnings():
        for row in rows:
            try:
                with open_image(source_of(row)) as image:
                    original_size = image.size
                    image.draft(None, (64, 64))
                    if has_wide_pixels(image.mode):
                        ranges.append(range_of(_wide_pixels(image)))
                    else:
                        is_deep = ";16" in str(getattr(image, "tile", ""))
                        converted = _to_grey_or_rgb(image)
                        grey = grey and _is_grey(converted)
                        if is_deep:
                            deep_colours[row] = int(np.asarray(converted).max())
            except UnreadableError as reason:
                unreadable.append((names[row], reason))
                continue
            sizes.append(original_size)
    if not sizes:
        name, reason = unreadable[0]
        raise CaudexError(f"None of {len(unreadable):,} images tried can be read; the first is {name} ({reason}).")
    if deep_colours and max(deep_colours.values()) < 128:  # Pillow keeps the upper 8 bits of each channel
        raise CaudexError(
            f"{names[next(iter(deep_colours))]} and other images of 16 bits a channel do not fill them, and would be read as "
            f"at most {max(deep_colours.values())} of 255; scale them to 16 full bits, or save them in 8."
        )
    if not size:
        width, height = sizes[0]
        is_common = width == height <= 64 and len(set(sizes)) == 1
        size = width if is_common else min(32, int(statistics.median(min(shape) for shape in sizes)))
        size = max(size, MIN_DEFAULT_SIDE)
    return ImageFormat((1 if grey else 3, size, size), choose_range(ranges) if ranges else None)


@contextmanager
def open_image(source: str | Image.Image):
    """The image of a source, looked at before its pixels are decoded; any error inside is an UnreadableError."""
    try:
        if not isinstance(source, Image.Image):
            if Path(source).stat().st_size == 0:
                raise UnreadableError("an empty file")
            source = Image.open(source, formats=FORMATS)
        with source as image:
            width, height = image.size
            if Image.MAX_IMAGE_PIXELS and width * height > Image.MAX_IMAGE_PIXELS:  # from twice that on Pillow raises
                raise Image.DecompressionBombError
            if min(width, height) < MIN_SIDE:
                raise UnreadableError(f"{width} x {height} pixels; a side needs at least {MIN_SIDE}")
            yield image
    except UnreadableError:
        raise
    except Image.UnidentifiedImageError:
        suffix = Path(source).suffix.lower() if isinstance(source, str) else ""
        raise UnreadableError(FOREIGN_SUFFIXES.get(suffix, "not an image")) from None
    except Image.DecompressionBombError:
        raise UnreadableError(f"over {Image.MAX_IMAGE_PIXELS:,} pixels, a decompression bomb?") from None
    except Exception as error:  # Pillow's readers raise nearly every kind on broken files
        raise UnreadableError(short_message(error)) from None


def _to_grey_or_rgb(image: Image.Image, pixel_range: PixelRange | None = None) -> Image.Image:
    """Upright, mode L or RGB, the first frame, see-through parts on white."""
    image = ImageOps.exif_transpose(image)
    if has_wide_pixels(image.mode):
        values = _wide_pixels(image)
        return Image.fromarray(to_eight_bits(values, pixel_range or choose_range([range_of(values)])))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("L" if image.mode == "1" else "RGB")


def _wide_pixels(image: Image.Image) -> np.ndarray:
    """The values of an image of more than 8 bits; Pillow's own conversion would cut them off at 255."""
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise UnreadableError("it has NaN or infinite values")
    return values


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "L":
        return True
    red, green, blue = (np.asarray(channel) for channel in image.split())
    return np.array_equal(red, green) and np.array_equal(green, blue)


@contextmanager
def ignore_bomb_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield
