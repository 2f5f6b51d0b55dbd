"""Encode once: the images of a set through a frozen trunk, into the cache of features."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from caudex.core.progress import ProgressBar
from caudex.data.feature_cache import (
    DIGEST,
    FeatureCache,
    StoredFeatures,
    digest_example,
    features_folder,
    missing_chunks,
    open_cache,
)
from caudex.data.images.decode import ImageFormat
from caudex.data.images.fastest_encoder import fastest_encoder
from caudex.data.images.image_set import ImageFiles, ImageStore, Split

CHUNK = 32
"""images that are decoded and encoded at once"""
CHUNKS_AHEAD = 3
"""that are decoded while one is encoded"""
FORMAT = 1
"""of what is kept; another makes another cache"""


def encode_split(split: Split, encoder: nn.Module) -> Split:
    """The split with the features of its images; those that cannot be read are left out and stand among the skipped.

    `encoder` turns images uint8 [B, C, H, W] into features [B, ...], without gradient. What was encoded before, by the same weights
    and with the same content, is read from the cache. Raises CaudexError where over 5% cannot be read or the disk is full.
    """
    skipped = list(split.skipped)
    parts = {name: getattr(split, name) for name in ("labelled", "unlabelled", "test", "train")}
    for store in {id(part.store): part.store for part in parts.values()}.values():
        members = {name: part for name, part in parts.items() if part.store is store}
        rows = torch.cat([part.store_rows for part in members.values()]).unique()
        features = encode_images(store, rows, encoder)
        is_encoded = features.index >= 0
        for name, part in members.items():
            parts[name] = replace(part, features=features).take(is_encoded[part.store_rows])
        skipped += [(store.names[row], store.reasons[row]) for row in rows[~is_encoded[rows]].tolist()]
    return replace(split, **parts, skipped=skipped, encoder=encoder)


def encode_images(store: ImageStore, rows: Tensor, encoder: nn.Module) -> StoredFeatures:
    """The features of these rows of a store, from the cache as far as they stand there."""
    device, shape = next(encoder.parameters()).device, store.image_format.shape
    cache = open_cache(describe_features(store.image_format, encoder), encoder, feature_shape(encoder, shape))
    digests = digest_images(store, rows)
    missing = np.flatnonzero(cache.find(digests) < 0)
    with ProgressBar("encoding images", len(missing)) as progress:
        encode = fastest_encoder(encoder, shape, cache.folder, len(missing)) if len(missing) else encoder
        for chunk, pixels in _decode_missing(store, rows, missing, cache, digests):
            readable = store.readable(rows[chunk]).numpy()
            if readable.any():
                cache.append(digests[chunk[readable]], encode(pixels[readable].to(device)).cpu())
            progress.advance(len(chunk))
    index = np.full(len(store), -1)
    index[rows.numpy()] = cache.find(digests)
    return cache.open(index)


def stream_encoder(image_format: ImageFormat, encoder: nn.Module, count: int) -> Callable[[Tensor], Tensor] | None:
    """What encodes so many images, which need no place in the cache, sooner than `encoder`; None: nothing does."""
    folder = features_folder(describe_features(image_format, encoder), encoder)
    encode = fastest_encoder(encoder, image_format.shape, folder, count)
    return None if encode is encoder else encode


def describe_features(image_format: ImageFormat, encoder: nn.Module) -> str:
    """What features follow from besides weights and content."""
    shape, pixel_range, pad, *_ = image_format
    return repr((FORMAT, shape, pixel_range, pad, str(encoder)))


def _decode_missing(
    store: ImageStore, rows: Tensor, missing: np.ndarray, cache: FeatureCache, digests: np.ndarray
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Some of the `missing` and their pixels, decoded ahead; none that another process has encoded meanwhile."""
    waiting = deque()
    with ThreadPoolExecutor(CHUNKS_AHEAD) as pool:
        for chunk in missing_chunks(cache, digests, missing, CHUNK):
            waiting.append((chunk, pool.submit(store.fetch, rows[chunk])))
            if len(waiting) > CHUNKS_AHEAD:
                chunk, pixels = waiting.popleft()
                yield chunk, pixels.result()
        for chunk, pixels in waiting:
            yield chunk, pixels.result()


@torch.no_grad()
def feature_shape(encoder: nn.Module, shape: tuple[int, int, int]) -> tuple[int, ...]:
    """Of what the encoder makes of one image of this shape [C, H, W]."""
    device = next(encoder.parameters()).device
    return tuple(encoder(torch.zeros(1, *shape, dtype=torch.uint8, device=device)).shape[1:])


def digest_images(store: ImageStore, rows: Tensor) -> np.ndarray:
    """The digest of each: of the bytes of a file that is decoded on demand, else of the pixels."""
    path_of = (
        getattr(store.names, "source", store.names.__getitem__) if isinstance(store, ImageFiles) else lambda row: None
    )

    def digest_row(row: int) -> bytes:
        path = path_of(row)
        try:
            content = Path(path).read_bytes() if isinstance(path, str) else store.fetch(torch.tensor([row])).numpy()
        except OSError:
            content = b""  # reported when it is decoded
        return digest_example(content)

    digests = np.empty(len(rows), DIGEST)
    with ThreadPoolExecutor(CHUNKS_AHEAD) as pool:
        for part in torch.arange(len(rows)).split(10_000):  # so that few wait in memory
            digests[part.numpy()] = list(pool.map(digest_row, rows[part].tolist()))
    return digests
