"""Images that come as arrays: scikit-learn's digits, idx files, .npz."""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from caudex.core.errors import CaudexError, short_message
from caudex.core.hardware import total_memory
from caudex.data.images.decode import PADDING, ImageFormat, padded_size
from caudex.data.images.image_set import ImageSet, InMemoryImages, NumberedNames
from caudex.data.images.opening import MIN_SIDE
from caudex.data.images.splits import UnsplitImages
from caudex.data.labels import describe_missing, parse_label
from caudex.data.stratified import apportion, class_counts, stratified_sample

FASHION = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DIGITS_TEST = 450
IMAGE_NAMES, LABEL_NAMES = ("pictures", "images", "x"), ("labels", "label", "y")


def load_digits() -> UnsplitImages:
    """scikit-learn's 1,797 handwritten digits, 8 x 8; 450 of them, always the same, are the test."""
    from sklearn import datasets

    bunch = datasets.load_digits()
    pixels = torch.from_numpy((bunch.images * (255 / 16)).round().astype(np.uint8)).unsqueeze(1)  # [N, 1, 8, 8]
    labels = torch.from_numpy(bunch.target).long()
    classes = tuple(str(digit) for digit in range(10))
    test_rows = stratified_sample(labels, apportion(class_counts(labels, classes), DIGITS_TEST), 0, "the digits test")
    images = ImageSet(InMemoryImages(pixels, NumberedNames("digits", len(labels))), labels, classes)
    return UnsplitImages(images, test_rows, duplicates="keep")


def load_patches(side: int = 32, step: int = 16) -> UnsplitImages:
    """Patches of scikit-learn's two colour photographs, a temple in China and a flower; the right fifth of each is the
    test. Patches overlap, so the classes are easy; they serve to learn colours from."""
    from sklearn.datasets import load_sample_images

    pixels, labels, is_test = [], [], []
    for label, photograph in enumerate(load_sample_images().images):  # uint8 [427, 640, 3] each
        width = photograph.shape[1]
        edge = width * 4 // 5
        for top in range(0, photograph.shape[0] - side + 1, step):
            for left in [*range(0, edge - side + 1, step), *range(edge, width - side + 1, step)]:
                pixels.append(photograph[top : top + side, left : left + side])
                labels.append(label)
                is_test.append(left >= edge)
    store = InMemoryImages(
        torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(), NumberedNames("patches", len(pixels))
    )
    return UnsplitImages(
        ImageSet(store, torch.tensor(labels), ("china", "flower")),
        torch.tensor(is_test).nonzero().flatten(),
        duplicates="keep",
    )


def load_fashion_mnist() -> UnsplitImages:
    """Fashion-MNIST (Xiao et al. 2017) from Debian's package: 60,000 and, for the test, 10,000 of 28 x 28."""
    if not FASHION.is_dir():
        raise CaudexError(f"{FASHION} is not there; install it with `apt install dataset-fashion-mnist`.")
    return read_idx(FASHION, "fashion-mnist", FASHION_CLASSES)


def read_idx(folder: Path, name: str, classes: tuple[str, ...] | None = None) -> UnsplitImages:
    """A folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and perhaps t10k-..., each also as .gz."""
    pixels, labels = _idx_pair(folder, "train")
    train_count, test_rows = len(labels), None
    if find_idx_file(folder, "t10k-images-idx3-ubyte"):
        test_pixels, test_labels = _idx_pair(folder, "t10k")
        if test_pixels.shape[1:] != pixels.shape[1:]:
            raise CaudexError(f"{folder}: train-images are {pixels.shape[1:]}, t10k-images {test_pixels.shape[1:]}.")
        pixels, labels = np.concatenate([pixels, test_pixels]), np.concatenate([labels, test_labels])
        test_rows = torch.arange(train_count, len(labels))
    if classes is None:
        classes, labels = _encode_labels(labels)
    store = InMemoryImages(torch.from_numpy(pixels).unsqueeze(1), NumberedNames(name, len(labels), train_count))
    return UnsplitImages(
        ImageSet(store, torch.from_numpy(labels.astype(np.int64)), classes), test_rows, duplicates="keep"
    )


def find_idx_file(folder: Path, name: str) -> Path | None:
    """The idx file of that name, gzipped or not; None if there is none."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _idx_pair(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [N, H, W] and uint8 [N]"""
    images = _read_idx_file(folder, f"{part}-images-idx3-ubyte", 3)
    labels = _read_idx_file(folder, f"{part}-labels-idx1-ubyte", 1)
    if len(images) != len(labels):
        raise CaudexError(f"{folder}: {len(images):,} {part} images, {len(labels):,} labels; one file is wrong.")
    return images, labels


def _read_idx_file(folder: Path, name: str, dimensions: int) -> np.ndarray:
    path = find_idx_file(folder, name)
    if path is None:
        raise CaudexError(f"{folder / name} is not there, packed (.gz) or not.")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return _read_idx_values(file, dimensions)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise CaudexError(f"{path} is not a whole idx file: {short_message(error)}. Fetch it again.") from None


def _read_idx_values(file: IO[bytes], dimensions: int) -> np.ndarray:
    """uint8, as many as the header says: no more is unpacked."""
    header = file.read(4 + 4 * dimensions)
    if len(header) < 4 + 4 * dimensions or header[:4] != bytes([0, 0, 8, dimensions]):
        raise ValueError(f"it does not begin as unsigned bytes in {dimensions} dimensions")
    shape = np.frombuffer(header, ">i4", dimensions, 4).tolist()
    size = math.prod(shape)
    if min(shape) < 1:
        raise ValueError(f"its header says {' x '.join(map(str, shape))}")
    _check_memory(size)
    data = file.read(size + 1)
    if len(data) != size:
        raise ValueError(f"its header says {size:,} values, it has {'more' if len(data) > size else f'{len(data):,}'}")
    return np.frombuffer(data, np.uint8).reshape(shape).copy()


def _check_memory(size: int) -> None:
    """Raises ValueError for more bytes than this machine has."""
    if size > total_memory():
        raise ValueError(f"it says that it holds {size / 1e9:,.0f} GB, this machine has {total_memory() / 1e9:,.0f}")


def read_npz_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz by their names in small letters; pickled objects, and headers that promise more than the
    file holds, are refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_memory(sum(member.file_size for member in archive.infolist()))
            for member in archive.infolist():
                _check_npy_header(archive, member)
        with np.load(path, allow_pickle=False) as file:
            return {name.lower(): file[name] for name in file.files}
    except Exception as error:  # zipfile and NumPy raise nearly every kind on broken files
        raise CaudexError(f"{path} is not a readable .npz of plain arrays: {short_message(error)}") from None


def _check_npy_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Raises ValueError unless the array has the size that its header says: NumPy allocates by the header alone."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(version, np.lib.format.read_array_header_2_0)
        shape, _, dtype = read(file)
        size = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and size != member.file_size - file.tell():
            raise ValueError(
                f"{member.filename} says that it has {size:,} bytes, it has {member.file_size - file.tell():,}"
            )


def read_npz(path: Path, need_labels: bool = True) -> UnsplitImages:
    """An .npz: uint8 images [N, H, W] or [N, H, W, C] called pictures, images or x; labels, numbers or words, called
    labels or y, -1 or '' where unlabelled; each also with _train, and with _test for a test of its own;
    perhaps `classes`, what the label numbers mean. CaudexError for anything else."""
    arrays = read_npz_arrays(path)
    x, y = _find_array(arrays, IMAGE_NAMES, "train"), _find_array(arrays, LABEL_NAMES, "train")
    if x and not y and not need_labels:
        y, arrays["y"] = "y", np.full(len(arrays[x]), -1)
    if not x or not y:
        raise CaudexError(f"{path} has the arrays {', '.join(arrays)}; it needs x and y, or images and labels.")
    pixels, labels, test_rows = _to_pixels(path, x, arrays[x]), _check_labels(path, x, arrays[x], y, arrays[y]), None
    train_count = len(labels)
    x, y = (
        _find_array(arrays, IMAGE_NAMES, "test", allow_bare=False),
        _find_array(arrays, LABEL_NAMES, "test", allow_bare=False),
    )
    if x and y:
        test_pixels = _to_pixels(path, x, arrays[x])
        if test_pixels.shape[1:] != pixels.shape[1:]:
            raise CaudexError(f"{path}: {x} has images of {arrays[x].shape[1:]}, unlike those to train on.")
        pixels = np.concatenate([pixels, test_pixels])
        labels = np.concatenate([labels, _check_labels(path, x, arrays[x], y, arrays[y])])
        test_rows = torch.arange(train_count, len(labels))
    missing = ""
    if labels.dtype.kind == "U":
        missing = describe_missing(labels.tolist(), "whose images are unlabelled")
        labels = np.array([parse_label(label) for label in labels.tolist()], dtype=np.str_)
    classes, labels = _encode_labels(labels, [str(name) for name in arrays.get("classes", np.array([])).ravel()])
    labels = torch.from_numpy(labels)
    if test_rows is not None and (labels[test_rows] < 0).any():
        raise CaudexError(f"{path}: {y} has images without a label; a test needs them all.")
    store = InMemoryImages(torch.from_numpy(pixels), NumberedNames(path.name, len(labels), train_count))
    return UnsplitImages(ImageSet(store, labels, classes), test_rows, notes=[missing] if missing else [])


def fit_images(images: Tensor, image_format: ImageFormat) -> Tensor:
    """uint8 [N, C, H, W] to the height and width of the format: resized until it covers them, then cropped at the centre;
    or padded, as files are."""
    height, width = image_format.shape[1:]
    if image_format.pad:
        size = padded_size((images.shape[3], images.shape[2]), (width, height))[::-1]
    else:
        scale = max(height / images.shape[2], width / images.shape[3])
        size = (max(height, round(images.shape[2] * scale)), max(width, round(images.shape[3] * scale)))
    parts = [interpolate(part, size, mode="bicubic", antialias=True) for part in images.split(4096)]
    resized = torch.cat(parts)
    if not image_format.pad:
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        return resized[:, :, top : top + height, left : left + width].contiguous()
    top, left = round((height - size[0]) / 2), round((width - size[1]) / 2)
    padded = torch.tensor(PADDING[images.shape[1]], dtype=torch.uint8)[:, None, None].repeat(
        len(images), 1, height, width
    )
    padded[:, :, top : top + size[0], left : left + size[1]] = resized
    return padded


def _find_array(arrays: dict, names: tuple[str, ...], part: str, allow_bare: bool = True) -> str | None:
    """The first array of one of these names: `x` (if `allow_bare`), `x_train` or `train_x`."""
    candidates = [
        form for name in names for form in (*([name] if allow_bare else []), f"{name}_{part}", f"{part}_{name}")
    ]
    return next((name for name in candidates if name in arrays), None)


def _to_pixels(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """uint8 [N, C, H, W]"""
    shape = list(array.shape)
    if array.dtype != np.uint8:
        is_fraction = array.dtype.kind == "f" and array.size and array.min() >= 0 and array.max() <= 1
        conversion = "(x * 255).round().astype('uint8')" if is_fraction else "x.astype('uint8')"
        raise CaudexError(f"{path}: {name} is {array.dtype}, images are uint8 from 0 to 255: {conversion}.")
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3, 4) or min(array.shape[:3], default=0) < 1:
        raise CaudexError(f"{path}: {name} is {shape}; images are [N, H, W] or [N, H, W, 1 | 3 | 4].")
    if min(array.shape[1:3]) < MIN_SIDE:
        raise CaudexError(f"{path}: {name} is {shape}; a side needs at least {MIN_SIDE} pixels.")
    if array.shape[3] == 4:  # see-through parts on white
        alpha = array[..., 3:].astype(np.uint16)
        array = ((array[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def _check_labels(path: Path, x: str, images: np.ndarray, y: str, labels: np.ndarray) -> np.ndarray:
    """Labels [N], whole numbers or words, one for each image."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iuU":
        raise CaudexError(f"{path}: {y} is {labels.dtype} {list(labels.shape)}; labels are [N] whole numbers or words.")
    if len(labels) != len(images):
        raise CaudexError(f"{path}: {x} has {len(images):,} images but {y} {len(labels):,} labels.")
    return labels


def _encode_labels(labels: np.ndarray, names: list[str] | None = None) -> tuple[tuple[str, ...], np.ndarray]:
    """Class names, and the number of each label among them (int64 [N], -1 for -1 or '')."""
    is_labelled = labels != "" if labels.dtype.kind == "U" else labels.astype(np.int64) >= 0
    values, codes = np.unique(labels[is_labelled], return_inverse=True)
    if names and labels.dtype.kind != "U":
        if len(values) and values[-1] >= len(names):
            raise CaudexError(f"There is a label {values[-1]}, but `classes` names only 0 to {len(names) - 1}.")
        return tuple(names), np.where(is_labelled, labels, -1).astype(np.int64)
    numbers = np.full(len(labels), -1, dtype=np.int64)
    numbers[is_labelled] = codes
    return tuple(str(label) for label in values), numbers
