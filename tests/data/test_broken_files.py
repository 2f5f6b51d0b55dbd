"""Whatever the bytes of a file are, reading it ends in data or in one sentence."""

import gzip
import io
import struct
import zipfile

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image

from caudex import data
from caudex.core.errors import CaudexError
from caudex.data.images.decode import ImageFormat, decode_image
from caudex.data.images.opening import UnreadableError
from caudex.data.text.labelled_texts import load_labelled_texts

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
LABELS = np.array([0, 1] * 3, dtype=np.uint8)


def image_bytes(kind, dtype="uint8"):
    pillow_heif.register_heif_opener()
    file = io.BytesIO()
    Image.fromarray(PIXELS[0].astype(dtype)).save(file, kind)
    return file.getvalue()


def idx_bytes(array):
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape) + array.tobytes()


def npz_bytes():
    file = io.BytesIO()
    np.savez(file, x=PIXELS, y=LABELS)
    return file.getvalue()


def read_image(folder, content):
    (folder / "image").write_bytes(content)
    try:
        assert decode_image(str(folder / "image"), ImageFormat((1, 8, 8))).shape == (1, 8, 8)
    except UnreadableError as reason:
        raise CaudexError(str(reason)) from None


def read_idx(folder, content, name="train-images-idx3-ubyte"):
    (folder / "train-images-idx3-ubyte").write_bytes(idx_bytes(PIXELS))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS))
    (folder / name).write_bytes(content)
    (folder / "train-images-idx3-ubyte").unlink() if name.endswith(".gz") else None
    data.load_images(str(folder), need_labels=False)


def read_npz(folder, content):
    (folder / "a.npz").write_bytes(content)
    data.load_images(str(folder / "a.npz"), need_labels=False)


def read_label_table(folder, content):
    for i in range(4):
        (folder / f"{i}.png").write_bytes(image_bytes("PNG"))
    (folder / "few.csv").write_bytes(content)
    data.load_images(str(folder / "few.csv"), need_labels=False)


def read_texts(suffix):
    def read(folder, content):
        (folder / f"a{suffix}").write_bytes(content)
        load_labelled_texts(str(folder / f"a{suffix}"))

    return read


FILES = {
    "png": (image_bytes("PNG"), read_image),
    "jpeg": (image_bytes("JPEG"), read_image),
    "gif": (image_bytes("GIF"), read_image),
    "tiff": (image_bytes("TIFF", "float32"), read_image),
    "avif": (image_bytes("AVIF"), read_image),
    "heic": (image_bytes("HEIF"), read_image),
    "idx": (idx_bytes(PIXELS), read_idx),
    "idx.gz": (
        gzip.compress(idx_bytes(PIXELS)),
        lambda folder, content: read_idx(folder, content, "train-images-idx3-ubyte.gz"),
    ),
    "npz": (npz_bytes(), read_npz),
    "table of labels": ("path,label\n0.png,\u00fcber\n1.png,b\n".encode(), read_label_table),
    "csv": ("text,label\n\u00fcber,a\nb,b\n".encode(), read_texts(".csv")),
    "jsonl": ('{"text": "\u00fcber", "label": "a"}\n{"text": "b", "label": 1}\n'.encode(), read_texts(".jsonl")),
}


@some.composite
def damaged(draw, content):
    """The content with some bytes replaced, and perhaps cut off or gone on with."""
    content = bytearray(content)
    head = min(len(content), 160)  # headers say how much is to come
    for _ in range(draw(some.integers(0, 4))):
        position = draw(some.integers(0, (head if draw(some.booleans()) else len(content)) - 1))
        content[position] = draw(
            some.one_of(some.integers(0, 255), some.sampled_from([0, 10, 34, 44, 92, 127, 128, 255]))
        )
    content = content[: draw(some.one_of(some.just(len(content)), some.integers(0, len(content))))]
    return bytes(content) + draw(some.one_of(some.just(b""), some.binary(max_size=8)))


@pytest.mark.parametrize("kind", FILES)
def test_damaged_files_are_read_or_refused(kind, tmp_path_factory):
    content, read = FILES[kind]

    @given(damaged(content))
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def check(damaged_content):
        try:
            read(tmp_path_factory.mktemp("damaged"), damaged_content)
        except CaudexError as error:
            assert "\n" not in str(error)

    check()


def lying_npz(path, shape):
    header = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode()
    header += b" " * (63 - (len(header) + 10) % 64) + b"\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("x.npy", "y.npy"):
            archive.writestr(name, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64))


@pytest.mark.parametrize("shape", [(10**13, 8, 8), (10**8, 8, 8), (-1, 8, 8), (0, 8, 8)])
def test_arrays_that_promise_more_than_they_hold(tmp_path, shape):
    lying_npz(tmp_path / "a.npz", shape)
    with pytest.raises(CaudexError, match=r"is not a readable .npz of plain arrays: x.npy says that it has"):
        data.load_images(str(tmp_path / "a.npz"))


@pytest.mark.parametrize(
    "shape, words",
    [
        ((-1, 8, 8), "its header says -1 x 8 x 8"),
        ((6, -8, -8), "its header says 6 x -8 x -8"),
        ((0, 8, 8), "its header says 0 x 8 x 8"),
        ((5, 8, 8), "its header says 320 values, it has more"),
        ((7, 8, 8), "its header says 448 values, it has 384"),
        ((2**30, 2**10, 2**10), "it says that it holds"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_idx_file_with_a_lying_count_is_refused(tmp_path, shape, words, suffix):
    content = b"\0\0\x08\3" + struct.pack(">3i", *shape) + PIXELS.tobytes()
    (tmp_path / f"train-images-idx3-ubyte{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS))
    with pytest.raises(CaudexError, match=words):
        data.load_images(str(tmp_path))
