"""Images to predict: any number of files, read batch by batch."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.files import describe_skipped
from caudex.data.images.decode import ImageFormat, common_format, decode_images, describe_cropping
from caudex.data.images.opening import SUFFIXES
from caudex.data.images.paths import image_finder
from caudex.data.images.pixel_range import describe_range

MAX_BATCH = 256  # images
BATCH_BYTES = 8_000_000  # of pixels


class ReadImages(NamedTuple):
    """The images that were read, and what was not."""

    images: Tensor  # uint8 [N, C, H, W]
    names: list[str]
    skipped: list[tuple[str, str]]  # (path, reason) of files that cannot be read


class ImageStream:
    """Iterating gives the images of `names` as `ReadImages`, in order, batch by batch; the next batch is decoded meanwhile.

    `image_format` is that of the set which the model learned from. Where that had no pixel range, images of more than 8
    bits are scaled by a sample of these. `notes()` are sentences on how they were read so far.
    """

    def __init__(self, names: Sequence[str], image_format: ImageFormat):
        if image_format.pixel_range is None:
            with contextlib.suppress(CaudexError):  # that none of the sample can be read
                pixel_range = common_format(names, image_format).pixel_range
                image_format = image_format._replace(pixel_range=pixel_range)
        self.names, self.image_format = names, image_format
        self.cropped_shares = torch.zeros(len(names))

    def __iter__(self) -> Iterator[ReadImages]:
        size = max(1, min(MAX_BATCH, BATCH_BYTES // math.prod(self.image_format.shape)))
        ahead, batch = ThreadPoolExecutor(1), None
        try:
            for start in range(0, len(self.names), size):
                rows = range(start, min(start + size, len(self.names)))
                previous, batch = batch, ahead.submit(self._read, rows)
                if previous:
                    yield previous.result()
            if batch:
                yield batch.result()
        finally:
            ahead.shutdown(cancel_futures=True)

    def notes(self) -> list[str]:
        pixel_range = self.image_format.pixel_range
        notes = describe_cropping(self.names, self.cropped_shares, self.image_format.shape), describe_range(pixel_range)
        return [note for note in notes if note]

    def _read(self, rows: range) -> ReadImages:
        pixels, unreadable, cropped_shares = decode_images(self.names, rows, self.image_format)
        self.cropped_shares[rows.start : rows.stop] = cropped_shares
        readable = torch.ones(len(rows), dtype=torch.bool)
        readable[[i for i, _ in unreadable]] = False
        names = [self.names[rows[i]] for i in readable.nonzero().flatten().tolist()]
        return ReadImages(pixels[readable], names, [(self.names[rows[i]], reason) for i, reason in unreadable])


def read_images(paths: Iterable[str], image_format: ImageFormat) -> ReadImages:
    """The images of files and folders as a model wants them, in the order of `image_files(paths)`, all at once.
    CaudexError as in `image_files`."""
    names, skipped = image_files(paths)
    images, read_names, unreadable = zip(*ImageStream(names, image_format))
    return ReadImages(torch.cat(images), [*chain(*read_names)], [*skipped, *chain(*unreadable)])


def image_files(paths: Iterable[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Each file itself, and for each folder the images in it and below, by name; and (path, reason) of what is passed over
    there. CaudexError for a path that is not there, or if there is no image at all."""
    paths, names, skipped = list(paths), [], []
    for path in paths:
        if Path(path).is_dir():
            finder = image_finder(path)
            names += [str(Path(path, os.fsdecode(name))) for name in finder.below()]
            skipped += finder.skipped
        elif Path(path).exists():
            names.append(str(path))
        else:
            raise CaudexError(f"{path} is not there; give files or folders of images.")
    if not names:
        left_out = f" ({describe_skipped(skipped)})" if skipped else ""
        raise CaudexError(f"{', '.join(map(str, paths))} has no image; looked for {', '.join(SUFFIXES)}{left_out}.")
    return names, skipped
