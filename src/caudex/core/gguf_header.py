"""The header of a GGUF file: its fields, and where its tensors lie. Every count and length is compared with the file's size
before memory is taken.

Source: docs/gguf.md of ggml.
"""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.typed_json import short_json

T = TypeVar("T")
TENSOR_TYPES = (
    "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
)  # fmt: skip
MAX_HEADER_BYTES, MAX_TENSORS, MAX_FIELDS, MAX_DIMENSIONS = 1 << 26, 1 << 16, 1 << 16, 4  # a million strings are 40 MB
_NUMBERS = dict(
    zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), ["u1", "i1", "<u2", "<i2", "<u4", "<i4", "<f4", "?", "<u8", "<i8", "<f8"])
)
_STRING, _ARRAY = 8, 9


class GGUFTensor(NamedTuple):
    """`shape` as numpy counts, the last dimension contiguous; `offset` in the file."""

    shape: tuple[int, ...]
    type: str
    offset: int
    num_bytes: int


class GGUFHeader(NamedTuple):
    """Fields are numbers, strings, lists of strings, or arrays of numbers."""

    file: Path
    fields: dict[str, Any]
    tensors: dict[str, GGUFTensor]

    def field(self, name: str, kind: type[T], default: T | None = None) -> T | None:
        """The value of a field, of exactly this type; CaudexError for another."""
        value = self.fields.get(name)
        if value is not None and type(value) is not kind:
            raise CaudexError(f"{self.file}: {name} is {describe_value(value)}, not of type {kind.__name__}.")
        return default if value is None else value

    def required(self, name: str, kind: type[T]) -> T:
        """The same; CaudexError where the file lacks it."""
        if name not in self.fields:
            raise CaudexError(f"{self.file} has no field {name}; convert it anew.")
        return self.field(name, kind)


def describe_value(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {len(value):,} numbers"
    return f"a list of {len(value):,} strings" if isinstance(value, list) else short_json(value)


def import_gguf():
    try:
        import gguf
    except ImportError:
        raise CaudexError("GGUF files need the package gguf: pip install 'caudex[text]'.") from None
    return gguf


def find_gguf(path: Path) -> Path | None:
    """The path itself, or the only GGUF file of a folder that holds no config.json; None where there is none."""
    if path.suffix == ".gguf":
        return path
    files = sorted(path.glob("*.gguf")) if path.is_dir() and not (path / "config.json").is_file() else []
    if len(files) > 1:
        raise CaudexError(f"{path} holds {len(files)} GGUF files; give one of them, such as {files[0]}.")
    return files[0] if files else None


def read_gguf_header(file: Path) -> GGUFHeader:
    """Raises CaudexError for what is no GGUF of version 2 or 3, cut off, or says of itself what cannot be."""
    if not file.is_file():
        raise CaudexError(f"{file} is no file.")
    size = file.stat().st_size
    with file.open("rb") as opened:
        reader = _Reader(file, opened, min(size, MAX_HEADER_BYTES))
        if reader.read(4) != b"GGUF":
            raise CaudexError(f"{file} is no GGUF file; it does not begin with the letters GGUF.")
        version = reader.number("<u4")
        if version not in (2, 3):
            kind = "for big-endian machines" if version in (2 << 24, 3 << 24) else f"of version {version:,}"
            raise CaudexError(
                f"{file} is a GGUF file {kind}; caudex reads version 2 and 3, little-endian: convert it anew."
            )
        num_tensors, num_fields = reader.count("tensors", MAX_TENSORS), reader.count("fields", MAX_FIELDS)
        fields: dict[str, Any] = {}
        for _ in range(num_fields):
            name = reader.string("the name of a field")
            if name in fields:
                raise CaudexError(f"{file} has the field {short_json(name)} twice; convert it anew.")
            fields[name] = reader.value(name)
        entries = [reader.tensor_entry() for _ in range(num_tensors)]
        end = opened.tell()
    alignment = fields.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment not in [1 << i for i in range(3, 21)]:
        raise CaudexError(f"{file}: general.alignment is {describe_value(alignment)}, no power of two from 8 on.")
    return GGUFHeader(file, fields, _place_tensors(file, entries, end, alignment))


def read_gguf_tensor(file: Path, tensor: GGUFTensor) -> np.ndarray:
    """Its numbers, float32; quantised ones are multiplied out."""
    gguf = import_gguf()
    with file.open("rb") as opened:
        opened.seek(tensor.offset)
        content = np.fromfile(opened, np.uint8, tensor.num_bytes)
    if len(content) < tensor.num_bytes:
        raise CaudexError(f"{file} became shorter while it was read; fetch it again.")
    rows = content.reshape(math.prod(tensor.shape[:-1]), -1)
    numbers = gguf.dequantize(rows, gguf.GGMLQuantizationType[tensor.type])
    return np.ascontiguousarray(numbers).reshape(tensor.shape)


def _place_tensors(file: Path, entries: list[tuple], header_end: int, alignment: int) -> dict[str, GGUFTensor]:
    """One after the other behind the header, each at the next multiple of the alignment, as llama.cpp demands it: a type
    or size that lies moves the tensors behind it."""
    gguf = import_gguf()
    size, start, end = file.stat().st_size, _align(header_end, alignment), 0
    type_names = {kind.value: kind.name for kind in gguf.GGMLQuantizationType}
    tensors: dict[str, GGUFTensor] = {}
    for name, shape, kind, offset in entries:
        label = f"{file}: the tensor {short_json(name)}"
        type_name = type_names.get(kind, f"number {kind:,}")
        if name in tensors:
            raise CaudexError(f"{label} stands there twice; convert it anew.")
        if type_name not in TENSOR_TYPES:
            raise CaudexError(
                f"{label} has the type {type_name}; caudex reads {', '.join(TENSOR_TYPES)}: fetch the model in one of these, "
                "such as Q8_0 or Q4_K_M."
            )
        block, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[type_name]]
        if shape[-1] % block:
            raise CaudexError(f"{label} has rows of {shape[-1]:,} numbers, and {type_name} has blocks of {block}.")
        num_bytes = math.prod(shape) // block * block_bytes
        if offset != _align(end, alignment):
            raise CaudexError(
                f"{label} begins {offset:,} bytes behind the header, and by those before it {_align(end, alignment):,}; an offset, "
                "type or size in the file is wrong: fetch it again."
            )
        end = offset + num_bytes
        if start + end > size:
            raise CaudexError(f"{label} ends at byte {start + end:,} of {size:,}; the file is cut off: fetch it again.")
        tensors[name] = GGUFTensor(shape, type_name, start + offset, num_bytes)
    return tensors


def _align(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


class _Reader:
    """Reads on from where the file stands, up to `limit`."""

    def __init__(self, file: Path, opened: io.BufferedReader, limit: int):
        self.file, self.opened, self.limit = file, opened, limit

    def read(self, num_bytes: int, label: str = "the header") -> bytes:
        content = self.opened.read(num_bytes) if num_bytes <= self.limit - self.opened.tell() else b""
        if len(content) < num_bytes:
            raise CaudexError(
                f"{self.file} is cut off, or says what cannot be: {label} has {num_bytes:,} bytes from byte "
                f"{self.opened.tell():,} on, and the header at most {self.limit:,}; fetch it again."
            )
        return content

    def number(self, kind: str) -> int | float | bool:
        return np.frombuffer(self.read(np.dtype(kind).itemsize), kind)[0].item()

    def length(self) -> int:
        return struct.unpack("<Q", self.read(8))[0]

    def count(self, label: str, limit: int) -> int:
        count = self.length()
        if count > limit:
            raise CaudexError(f"{self.file} says that it has {count:,} {label}; up to {limit:,} are read.")
        return count

    def string(self, label: str) -> str:
        content = self.read(self.length(), label)
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise CaudexError(f"{self.file}: {label} is no UTF-8; convert it anew.") from None

    def value(self, name: str) -> Any:
        kind, label = self.number("<u4"), f"the field {short_json(name)}"
        if kind == _STRING:
            return self.string(label)
        if kind in _NUMBERS:
            return self.number(_NUMBERS[kind])
        kind, count = (self.number("<u4"), self.length()) if kind == _ARRAY else (kind, 0)
        if kind == _STRING:
            if 8 * count > self.limit - self.opened.tell():
                raise CaudexError(
                    f"{self.file}: {label} says that it has {count:,} strings, more than the header holds."
                )
            return [self.string(label) for _ in range(count)]
        if kind not in _NUMBERS:
            raise CaudexError(f"{self.file}: {label} holds values of type {kind:,}, which caudex does not read.")
        dtype = np.dtype(_NUMBERS[kind])
        return np.frombuffer(self.read(count * dtype.itemsize, label), dtype)

    def tensor_entry(self) -> tuple[str, tuple[int, ...], int, int]:
        """(name, shape, type, offset behind the header)."""
        name = self.string("the name of a tensor")
        num_dimensions = self.number("<u4")
        if not 1 <= num_dimensions <= MAX_DIMENSIONS:
            raise CaudexError(
                f"{self.file}: the tensor {short_json(name)} has {num_dimensions:,} dimensions, not 1 to 4."
            )
        shape = tuple(self.length() for _ in range(num_dimensions))[::-1]
        if 0 in shape:
            raise CaudexError(f"{self.file}: the tensor {short_json(name)} is empty; convert it anew.")
        return name, shape, self.number("<u4"), self.length()
