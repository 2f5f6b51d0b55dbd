"""Pictures that come as arrays: scikit-learn's digits, idx files, .npz."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import torch

from caudex.data.pictures import Memory, Numbered, Pictures
from caudex.data.splits import Found, per_class, shares, stratified
from caudex.errors import CaudexError

FASHION = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DIGITS_TEST = 450


def digits() -> Found:
    """scikit-learn's 1,797 handwritten digits, 8 x 8; 450 of them, always the same, are the test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = torch.from_numpy((bunch.images * (255 / 16)).round().astype(np.uint8)).unsqueeze(1)  # [N, 1, 8, 8]
    labels = torch.from_numpy(bunch.target).long()
    classes = tuple(str(digit) for digit in range(10))
    held_out = stratified(labels, shares(per_class(labels, classes), DIGITS_TEST), 0, "the digits test")
    everything = Pictures(Memory(pixels, Numbered("digits", len(labels))), labels, classes)
    return Found(everything, held_out, official=True)


def fashion_mnist() -> Found:
    """Fashion-MNIST (Xiao et al. 2017) from Debian's package: 60,000 and, for the test, 10,000 of 28 x 28."""
    if not FASHION.is_dir():
        raise CaudexError(f"{FASHION} is not there; install it with `apt install dataset-fashion-mnist`.")
    return idx(FASHION, "fashion-mnist", FASHION_CLASSES)


def idx(folder: Path, name: str, classes: tuple[str, ...] | None = None) -> Found:
    """A folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and perhaps t10k-..., each also as .gz."""
    pixels, labels = _idx_pair(folder, "train")
    count, test = len(labels), None
    if idx_file(folder, "t10k-images-idx3-ubyte"):
        test_pixels, test_labels = _idx_pair(folder, "t10k")
        pixels, labels = np.concatenate([pixels, test_pixels]), np.concatenate([labels, test_labels])
        test = torch.arange(count, len(labels))
    labels = torch.from_numpy(labels.astype(np.int64))
    classes = classes or tuple(str(label) for label in range(int(labels.max()) + 1))
    store = Memory(torch.from_numpy(pixels).unsqueeze(1), Numbered(name, len(labels), count))
    return Found(Pictures(store, labels, classes), test, official=True)


def idx_file(folder: Path, name: str) -> Path | None:
    """The idx file of that name, packed or not."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _idx_pair(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [N, H, W] and uint8 [N]"""
    images, labels = _read_idx(folder, f"{part}-images-idx3-ubyte", 3), _read_idx(folder, f"{part}-labels-idx1-ubyte", 1)
    if len(images) != len(labels):
        raise CaudexError(f"{folder} has {len(images):,} {part} pictures but {len(labels):,} labels; one file is wrong.")
    return images, labels


def _read_idx(folder: Path, name: str, dimensions: int) -> np.ndarray:
    path = idx_file(folder, name)
    if path is None:
        raise CaudexError(f"{folder / name} is not there, packed (.gz) or not.")
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if data[:3] != b"\0\0\x08" or data[3] != dimensions:
            raise ValueError(f"it does not begin as unsigned bytes in {dimensions} dimensions")
        shape = np.frombuffer(data, ">i4", dimensions, 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy()
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise CaudexError(f"{path} is not a whole idx file: {error}. Fetch it again.") from None
