"""The header of a GGUF file: whatever it says, it is read or refused in a sentence, before memory is taken."""

import struct
import sys
import tracemalloc

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex.core.errors import CaudexError
from caudex.core.gguf_header import find_gguf, read_gguf_header, read_gguf_tensor

HEADER = struct.pack("<4sIQQ", b"GGUF", 3, 0, 1)


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def tensor(name: bytes, dimensions: list[int], kind: int = 0, offset: int = 0) -> bytes:
    return string(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset)


def one_tensor(*arguments, data: bytes = b"\0" * 64, count: int = 1) -> bytes:
    head = struct.pack("<4sIQQ", b"GGUF", 3, count, 0) + tensor(*arguments)
    return head + b"\0" * (-len(head) % 32) + data


def two_tensors(offset: int, kind: int = 0) -> bytes:
    """v lies at `offset`; w says that it is of `kind`, of 16 numbers."""
    head = (
        struct.pack("<4sIQQ", b"GGUF", 3, 2, 0)
        + tensor(b"w", [16] if kind else [8], kind)
        + tensor(b"v", [8], 0, offset)
    )
    return head + b"\0" * 128


def test_fields_and_tensors_are_those_that_were_written(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_uint32("a.b", 7)
    writer.add_float32("c", 0.5)
    writer.add_bool("d", True)
    writer.add_string("e", "é")
    writer.add_array("f", ["x", "", "yz"])
    writer.add_array("g", [1, -2, 3])
    writer.add_custom_alignment(64)
    numbers = np.arange(12, dtype=np.float32).reshape(3, 4)
    writer.add_tensor("first", numbers)
    writer.add_tensor("second", numbers.astype(np.float16) / 2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_gguf_header(tmp_path / "x.gguf")
    values = [header.fields[name] for name in ["a.b", "c", "d", "e", "f"]]
    assert values == [7, 0.5, True, "é", ["x", "", "yz"]] and header.fields["g"].tolist() == [1, -2, 3]
    assert header.tensors["first"].shape == (3, 4) and header.tensors["second"].type == "F16"
    np.testing.assert_array_equal(read_gguf_tensor(header.file, header.tensors["first"]), numbers)
    np.testing.assert_array_equal(read_gguf_tensor(header.file, header.tensors["second"]), numbers / 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is cut off"),
        (b"PK\x03\x04" * 9, "does not begin with the letters GGUF"),
        (struct.pack("<4sI", b"GGUF", 4), "of version 4"),
        (struct.pack("<4sI", b"GGUF", 1), "of version 1"),
        (struct.pack(">4sI", b"GGUF", 3), "for big-endian machines"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 1 << 40, 0), "says that it has 1,099,511,627,776 tensors"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 1 << 63), "9,223,372,036,854,775,808 fields"),
        (HEADER + struct.pack("<Q", 1 << 50), "the name of a field has 1,125,899,906,842,624 bytes"),
        (HEADER + string(b"a") + struct.pack("<IQ", 8, 1 << 62), 'the field "a" has 4,611'),
        (HEADER + string(b"a") + struct.pack("<IIQ", 9, 0, 1 << 62), 'the field "a" has 4,611'),
        (HEADER + string(b"a") + struct.pack("<IIQ", 9, 12, 1 << 62), 'the field "a" has 36,893'),
        (HEADER + string(b"a") + struct.pack("<IIQ", 9, 8, 1 << 30), "1,073,741,824 strings"),
        (HEADER + string(b"a") + struct.pack("<IIQ", 9, 9, 1), "values of type 9"),
        (HEADER + string(b"a") + struct.pack("<I", 77), "values of type 77"),
        (HEADER + string(b"\xff\xfe"), "is no UTF-8"),
        (struct.pack("<4sIQQ", b"GGUF", 3, 0, 2) + (string(b"a") + struct.pack("<IB", 7, 1)) * 2, 'the field "a" twice'),
        (HEADER + string(b"general.alignment") + struct.pack("<II", 4, 24), "general.alignment is 24"),
        (one_tensor(b"w", [4] * 5), "has 5 dimensions"),
        (one_tensor(b"w", []), "has 0 dimensions"),
        (one_tensor(b"w", [0, 1 << 60]), "is empty"),
        (one_tensor(b"w", [1 << 40, 1 << 40]), "the file is cut off"),
        (one_tensor(b"w", [17]), "ends at byte"),
        (one_tensor(b"w", [16], 0, 1 << 63), "begins 9,223,372,036,854,775,808 bytes"),
        (one_tensor(b"w", [16], 19), "has the type IQ1_S; caudex reads F32"),
        (one_tensor(b"w", [16], 999), "has the type number 999"),
        (one_tensor(b"w", [16], 8), "rows of 16 numbers, and Q8_0 has blocks of 32"),
        (one_tensor(b"w", [16], count=2), "has 0 dimensions"),
        (two_tensors(31), 'the tensor "v" begins 31 bytes behind the header, and by those before it 32'),
        (two_tensors(64), "begins 64 bytes behind the header, and by those before it 32"),
        (two_tensors((1 << 64) - 32), "begins 18,446,744,073,709,551,584 bytes"),
        (two_tensors(64, kind=1), "begins 64 bytes"),  # 16 numbers were written as F32, and half of that is read
        (struct.pack("<4sIQQ", b"GGUF", 3, 2, 0) + tensor(b"w", [8]) * 2 + b"\0" * 128, "stands there twice"),
    ],
)  # fmt: skip
def test_a_lie_is_refused_before_memory_is_taken(content, message, tmp_path):
    file = tmp_path / "x.gguf"
    file.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(CaudexError, match=message) as error:
        read_gguf_header(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20 and str(error.value).endswith(".") and "\n" not in str(error.value)


def test_no_file_is_refused(tmp_path):
    for file in (tmp_path, tmp_path / "none.gguf"):
        with pytest.raises(CaudexError, match="is no file"):
            read_gguf_header(file)


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    (tmp_path / "x.gguf").write_bytes(one_tensor(b"w", [16]))
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(CaudexError, match=r"pip install 'caudex\[text\]'"):
        read_gguf_header(tmp_path / "x.gguf")


def test_of_several_files_in_a_folder_one_must_be_named(tmp_path):
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
    with pytest.raises(CaudexError, match="holds 2 GGUF files; give one of them"):
        find_gguf(tmp_path)


@settings(max_examples=150)
@given(content=some.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "any.gguf"
    for start in (b"", HEADER, struct.pack("<4sIQQ", b"GGUF", 2, 1, 0)):
        file.write_bytes(start + content)
        try:
            read_gguf_header(file)
        except CaudexError as error:
            assert str(error).endswith(".")
