"""Images that come as arrays: scikit-learn's digits, idx files, .npz."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from caudex.core.errors import CaudexError, short_message
from caudex.data.images.decode import SMALLEST_SIDE
from caudex.data.images.image_set import ImageSet, InMemoryImages, Numbered
from caudex.data.images.splits import Found, per_class, shares, stratified

FASHION = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DIGITS_TEST = 450
IMAGES, LABELS = ("pictures", "images", "x"), ("labels", "label", "y")


def digits() -> Found:
    """scikit-learn's 1,797 handwritten digits, 8 x 8; 450 of them, always the same, are the test."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = torch.from_numpy((bunch.images * (255 / 16)).round().astype(np.uint8)).unsqueeze(1)  # [N, 1, 8, 8]
    labels = torch.from_numpy(bunch.target).long()
    classes = tuple(str(digit) for digit in range(10))
    held_out = stratified(labels, shares(per_class(labels, classes), DIGITS_TEST), 0, "the digits test")
    everything = ImageSet(InMemoryImages(pixels, Numbered("digits", len(labels))), labels, classes)
    return Found(everything, held_out, leaks="keep")


def patches(side: int = 32, step: int = 16) -> Found:
    """Patches of scikit-learn's two sample photographs, in colour: a temple in China, a flower; the right fifth of each
    is the test. Overlapping patches are alike, so the classes are easy; they are here to learn colours from."""
    from sklearn.datasets import load_sample_images

    pixels, labels, tests = [], [], []
    for label, photograph in enumerate(load_sample_images().images):  # uint8 [427, 640, 3] each
        width = photograph.shape[1]
        edge = width * 4 // 5
        for top in range(0, photograph.shape[0] - side + 1, step):
            for left in [*range(0, edge - side + 1, step), *range(edge, width - side + 1, step)]:
                pixels.append(photograph[top : top + side, left : left + side])
                labels.append(label)
                tests.append(left >= edge)
    store = InMemoryImages(
        torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), Numbered("patches", len(pixels))
    )
    return Found(
        ImageSet(store, torch.tensor(labels), ("china", "flower")),
        torch.tensor(tests).nonzero().flatten(),
        leaks="keep",
    )


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
        if test_pixels.shape[1:] != pixels.shape[1:]:
            raise CaudexError(f"{folder}: train-images are {pixels.shape[1:]}, t10k-images {test_pixels.shape[1:]}.")
        pixels, labels = np.concatenate([pixels, test_pixels]), np.concatenate([labels, test_labels])
        test = torch.arange(count, len(labels))
    if classes is None:
        classes, labels = _classes(labels)
    store = InMemoryImages(torch.from_numpy(pixels).unsqueeze(1), Numbered(name, len(labels), count))
    return Found(ImageSet(store, torch.from_numpy(labels.astype(np.int64)), classes), test, leaks="keep")


def idx_file(folder: Path, name: str) -> Path | None:
    """The idx file of that name, packed or not."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _idx_pair(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [N, H, W] and uint8 [N]"""
    images = _read_idx(folder, f"{part}-images-idx3-ubyte", 3)
    labels = _read_idx(folder, f"{part}-labels-idx1-ubyte", 1)
    if len(images) != len(labels):
        raise CaudexError(f"{folder}: {len(images):,} {part} images, {len(labels):,} labels; one file is wrong.")
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
    except (OSError, EOFError, ValueError, IndexError, zlib.error) as error:
        raise CaudexError(f"{path} is not a whole idx file: {error}. Fetch it again.") from None


def opened(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz by their names in small letters; pickled objects are refused."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name.lower(): file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, AttributeError, TypeError) as error:
        raise CaudexError(f"{path} is not a readable .npz of plain arrays: {short_message(error)}") from None


def npz(path: Path, need_labels: bool = True) -> Found:
    """An .npz: uint8 images [N, H, W] or [N, H, W, C] called images, images or x; labels, numbers or words, called
    labels or y, -1 or '' where nobody has labelled; each also with _train, and with _test for a test of its own;
    perhaps `classes`, what the label numbers mean. CaudexError for anything else."""
    arrays = opened(path)
    x, y = _called(arrays, IMAGES, "train"), _called(arrays, LABELS, "train")
    if x and not y and not need_labels:
        y, arrays["y"] = "y", np.full(len(arrays[x]), -1)
    if not x or not y:
        raise CaudexError(f"{path} has the arrays {', '.join(arrays)}; it needs x and y, or images and labels.")
    pixels, labels, test = _pixels(path, x, arrays[x]), _flat(path, x, arrays[x], y, arrays[y]), None
    count = len(labels)
    x, y = _called(arrays, IMAGES, "test", alone=False), _called(arrays, LABELS, "test", alone=False)
    if x and y:
        pixels_of_test = _pixels(path, x, arrays[x])
        if pixels_of_test.shape[1:] != pixels.shape[1:]:
            raise CaudexError(f"{path}: {x} has images of {arrays[x].shape[1:]}, unlike those to train on.")
        pixels = np.concatenate([pixels, pixels_of_test])
        labels = np.concatenate([labels, _flat(path, x, arrays[x], y, arrays[y])])
        test = torch.arange(count, len(labels))
    classes, labels = _classes(labels, [str(name) for name in arrays.get("classes", np.array([])).ravel()])
    labels = torch.from_numpy(labels)
    if test is not None and (labels[test] < 0).any():
        raise CaudexError(f"{path}: {y} has images without a label; a test needs them all.")
    store = InMemoryImages(torch.from_numpy(pixels), Numbered(path.name, len(labels), count))
    return Found(ImageSet(store, labels, classes), test)


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """uint8 [N, C, H, W] to [N, C, height, width]: scaled until it covers them, then the centre is cut out."""
    scale = max(height / images.shape[2], width / images.shape[3])
    to = (max(height, round(images.shape[2] * scale)), max(width, round(images.shape[3] * scale)))
    parts = [interpolate(part, to, mode="bicubic", antialias=True) for part in images.split(4096)]
    top, left = (to[0] - height) // 2, (to[1] - width) // 2
    return torch.cat(parts)[:, :, top : top + height, left : left + width].contiguous()


def _called(arrays: dict, names: tuple[str, ...], part: str, alone: bool = True) -> str | None:
    """The first array called so: `x` (if it may stand alone), `x_train` or `train_x`."""
    wanted = [form for name in names for form in (*([name] if alone else []), f"{name}_{part}", f"{part}_{name}")]
    return next((name for name in wanted if name in arrays), None)


def _pixels(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """uint8 [N, C, H, W]"""
    given = list(array.shape)
    if array.dtype != np.uint8:
        shares = array.dtype.kind == "f" and array.size and array.min() >= 0 and array.max() <= 1
        way = "(x * 255).round().astype('uint8')" if shares else "x.astype('uint8')"
        raise CaudexError(f"{path}: {name} is {array.dtype}, images are uint8 from 0 to 255: {way}.")
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3, 4) or min(array.shape[:3], default=0) < 1:
        raise CaudexError(f"{path}: {name} is {given}; images are [N, H, W] or [N, H, W, 1 | 3 | 4].")
    if min(array.shape[1:3]) < SMALLEST_SIDE:
        raise CaudexError(f"{path}: {name} is {given}; a side needs at least {SMALLEST_SIDE} pixels.")
    if array.shape[3] == 4:  # see-through parts on white
        alpha = array[..., 3:].astype(np.uint16)
        array = ((array[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def _flat(path: Path, x: str, images: np.ndarray, y: str, labels: np.ndarray) -> np.ndarray:
    """Labels [N], whole numbers or words, one for each image."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iuU":
        raise CaudexError(f"{path}: {y} is {labels.dtype} {list(labels.shape)}; labels are [N] whole numbers or words.")
    if len(labels) != len(images):
        raise CaudexError(f"{path}: {x} has {len(images):,} images but {y} {len(labels):,} labels.")
    return labels


def _classes(labels: np.ndarray, names: list[str] | None = None) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names, and the place of each label among them (int64 [N], -1 for -1 or '')."""
    given = labels != "" if labels.dtype.kind == "U" else labels.astype(np.int64) >= 0
    known, places = np.unique(labels[given], return_inverse=True)
    if names and labels.dtype.kind != "U":
        if len(known) and known[-1] >= len(names):
            raise CaudexError(f"There is a label {known[-1]}, but `classes` names only 0 to {len(names) - 1}.")
        return tuple(names), np.where(given, labels, -1).astype(np.int64)
    numbers = np.full(len(labels), -1, dtype=np.int64)
    numbers[given] = places
    return tuple(str(label) for label in known), numbers
