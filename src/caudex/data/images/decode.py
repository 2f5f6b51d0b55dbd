"""From an image file to pixels: upright, on white, grey or colour, of one size."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import get_worker_info

from caudex.core.errors import CaudexError
from caudex.core.progress import track
from caudex.core.specs import ImageSpec
from caudex.data.images.opening import MAX_PIXELS, UnreadableError, allow_pixels, open_image
from caudex.data.images.pixel_range import PixelRange, choose_range, has_wide_pixels, range_of, to_eight_bits

MAX_UNREADABLE_SHARE = 0.05
MIN_DEFAULT_SIDE = 16  # what is smaller is enlarged: digits of 8 x 8 are learned better so (docs/noisy-student.md)
SHAPE_SAMPLE = 64  # images from which the shape of a set is chosen
MAX_CROPPED_SHARE = 1 / 3 + 1e-6  # of an image; photographs are up to half as long again as they are high
CHUNK = 32
DRAFT_FORMATS = ("JPEG", "MPO", "HEIF")  # decode at 1/2, 1/4, 1/8, or a thumbnail
PADDING = {1: (117,), 3: (124, 116, 104)}
"""around images that are padded, by their number of channels: the mean colour of ImageNet, as timm pads. It is near the mean
of most photos, so that the padding is near zero once the trunk has standardised its input."""


class ImageFormat(NamedTuple):
    """How the images of a set are read, and what they become."""

    shape: tuple[int, int, int]  # (C, H, W); 0 where it is still to be chosen by `common_format`
    pixel_range: PixelRange | None = None  # the values that become 0 and 255 in images of more than 8 bits
    pad: bool = False  # fit each image whole into H x W, instead of cropping it at the centre
    max_pixels: int = MAX_PIXELS  # an image of more is not read
    on_demand: bool = False  # decode files as they are fetched, also where all would fit into memory

    @classmethod
    def from_spec(cls, spec: ImageSpec) -> ImageFormat:
        """That of the set which a model learned from; how much is read at most is for each user to say."""
        return cls(spec.shape, spec.pixel_range, spec.pad)


def decode_image(source: str | Image.Image, image_format: ImageFormat) -> np.ndarray:
    """uint8 [C, H, W] of a path or a PIL image, cropped or padded.

    Without a pixel range an image of more than 8 bits is scaled from its own. Raises UnreadableError with the reason.
    """
    return decode_and_fit(source, image_format)[0]


def decode_and_fit(source: str | Image.Image, image_format: ImageFormat) -> tuple[np.ndarray, float]:
    """What `decode_image` returns, and the share of the image that was cropped away."""
    channels, height, width = image_format.shape
    mode = "L" if channels == 1 else "RGB"
    with open_image(source, image_format.max_pixels) as image:
        if image.format in DRAFT_FORMATS:  # still twice the target size
            image.draft(mode, (2 * width, 2 * height))
        image = _to_grey_or_rgb(image, image_format.pixel_range)
        if image_format.pad:
            image, share = _pad(image, mode, (width, height)), 0.0
        else:
            share = cropped_share(image.size, (width, height))
            image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(image.convert(mode)).reshape(height, width, -1)
        return pixels.transpose(2, 0, 1), share


def decode_thumbnail(path: str, max_side: int) -> Image.Image:
    """The whole image, L or RGB, as `decode_image` reads it, shrunk to sides of at most `max_side` pixels. Raises
    UnreadableError with the reason."""
    with open_image(path, MAX_PIXELS) as image:
        if image.format in DRAFT_FORMATS:
            image.draft(None, (max_side, max_side))
        image = _to_grey_or_rgb(image)
        if max(image.size) <= max_side:
            return image.copy()
        return image.resize(padded_size(image.size, (max_side, max_side)), Image.Resampling.BICUBIC)


def _pad(image: Image.Image, mode: str, size: tuple[int, int]) -> Image.Image:
    whole = image.resize(padded_size(image.size, size), Image.Resampling.BICUBIC)
    padded = Image.new(mode, size, PADDING[len(mode)])
    padded.paste(whole.convert(mode), (round((size[0] - whole.width) / 2), round((size[1] - whole.height) / 2)))
    return padded


def padded_size(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The largest size of this aspect ratio that fits into `target`, a pixel at least; all (width, height)."""
    scale = min(target[0] / size[0], target[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def cropped_share(size: tuple[int, int], target: tuple[int, int]) -> float:
    """The share that a centre crop to the aspect ratio of `target` removes; both (width, height). 0.5 of 2 x 1 in a square."""
    ratio = size[0] * target[1] / (size[1] * target[0])
    return 1 - min(ratio, 1 / ratio)


def read_cropped_shares(names: Sequence[str], rows: Iterable[int], image_format: ImageFormat) -> Tensor:
    """[B]: what `decode_images` would crop away of each, from the headers of the files alone; 0 of those that cannot be read."""
    source_of, shares = getattr(names, "source", names.__getitem__), []
    for row in rows:
        try:
            with open_image(source_of(int(row)), image_format.max_pixels) as image:
                shares.append(0.0 if image_format.pad else cropped_share(image.size, image_format.shape[:0:-1]))
        except UnreadableError:
            shares.append(0.0)
    return torch.tensor(shares)


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
        f"{name} ({cropped_shares.max():.0%}); training with --pad keeps them whole"
    )


def decode_images(
    names: Sequence[str], rows: Iterable[int], image_format: ImageFormat, progress: bool = False
) -> tuple[Tensor, list[tuple[int, str]], Tensor]:
    """The images `rows` of `names`: uint8 [B, C, H, W], (index into rows, reason) of the unreadable, left zero,
    and the share of each that was cropped away, [B].

    Decodes on several threads, as Pillow lets go of the interpreter; on one inside a DataLoader's worker process.
    """
    rows = torch.as_tensor(rows)
    images = torch.zeros(len(rows), *image_format.shape, dtype=torch.uint8)
    pixels, cropped_shares, skipped = images.numpy(), torch.zeros(len(rows)), []
    source_of = getattr(names, "source", names.__getitem__)

    def fill(start: int) -> None:
        for i, row in enumerate(rows[start : start + CHUNK].tolist(), start):
            try:
                pixels[i], cropped_shares[i] = decode_and_fit(source_of(row), image_format)
            except UnreadableError as reason:
                skipped.append((i, str(reason)))

    starts = range(0, len(rows), CHUNK)
    with allow_pixels(image_format.max_pixels):
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


def common_format(names: Sequence[str], image_format: ImageFormat) -> ImageFormat:
    """`image_format` with its shape and pixel range chosen from a sample of 64: one channel if all are grey; where its side
    is 0, a small square size that all share, else the median shorter side, at most 32; at least 16 in any case.
    A shape whose channels are given is kept, and so is a range. CaudexError if none of the sample can be read."""
    rows = torch.linspace(0, len(names) - 1, min(SHAPE_SAMPLE, len(names))).round().long().unique().tolist()
    source_of = getattr(names, "source", names.__getitem__)
    sizes, grey, ranges, deep_colours, unreadable = [], True, [], {}, []
    with allow_pixels(image_format.max_pixels):
        for row in rows:
            try:
                with open_image(source_of(row), image_format.max_pixels) as image:
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
    size = image_format.shape[1]
    if not size:
        width, height = sizes[0]
        is_common = width == height <= 64 and len(set(sizes)) == 1
        size = width if is_common else min(32, int(statistics.median(min(shape) for shape in sizes)))
        size = max(size, MIN_DEFAULT_SIDE)
    pixel_range = image_format.pixel_range or (choose_range(ranges) if ranges else None)
    shape = image_format.shape if image_format.shape[0] else (1 if grey else 3, size, size)
    return image_format._replace(shape=shape, pixel_range=pixel_range)


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
