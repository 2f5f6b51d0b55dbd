"""The command embed: features of images for one's own methods."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from caudex.cli.commands import EmbedFlags
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import check_new_file
from caudex.core.errors import CaudexError

BATCH = 1000
"""images whose features are written at once"""
FeatureBatches = Iterator[tuple[list[str], np.ndarray]]
"""names [B] and features, float32 [B, W]"""


def embed_command(words: Sequence[str]) -> None:
    flags = parse_flags(EmbedFlags, words, "embed")
    if not flags.files or flags.to is None:
        raise CaudexError(
            "say what to embed, and where to: caudex embed photos/ --to features.npy, or .csv, or .parquet."
        )
    writer = WRITERS.get(flags.to.suffix)
    if writer is None:
        raise CaudexError(f"--to {flags.to}: give a file that ends in {', '.join(WRITERS)}.")
    if flags.to.suffix == ".parquet":
        import_parquet()  # first of all: encoding takes long
    check_new_file("--to", flags.to)
    import torch

    from caudex.data import ImageFiles, encode_images, image_files
    from caudex.data.images.decode import ImageFormat
    from caudex.data.images.formats import check_size_and_test_share
    from caudex.systems.image_trunks import PRETRAINED, check_trunk, is_pretrained, open_encoder

    check_size_and_test_share(flags.size, 0.0)
    trunk = PRETRAINED if flags.trunk == "auto" else flags.trunk
    check_trunk(trunk, pretrained=True)
    if not is_pretrained(trunk):
        raise CaudexError(f"--trunk {trunk} has learned nothing yet; take a pretrained one.")
    names, skipped = image_files(flags.files)
    encoder = open_encoder(trunk, 0)
    side = flags.size or encoder.image_size
    store = ImageFiles(names, ImageFormat((3, side, side)))
    with replace_when_written(flags.to) as partial:
        features = encode_images(store, torch.arange(len(names)), encoder)
        is_encoded = features.index >= 0
        skipped += [(names[row], store.reasons[row]) for row in (~is_encoded).nonzero().flatten().tolist()]
        for path, reason in skipped:
            print(f"caudex: skipped {path}: {reason}", file=sys.stderr)
        rows = is_encoded.nonzero().flatten()
        readable = [names[row] for row in rows.tolist()]
        starts = range(0, len(rows), BATCH)
        batches = ((readable[i : i + BATCH], features.fetch(rows[i : i + BATCH]).numpy()) for i in starts)
        writer(partial, batches, readable, encoder.width)
    print(f"{flags.to}: {len(rows):,} images, {encoder.width:,} features each")


@contextmanager
def replace_when_written(file: Path) -> Iterator[Path]:
    """Yields the path of an empty file beside it, which becomes `file` at the end. Raises CaudexError, at once or later, where it cannot
    be written."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        partial.touch()
        yield partial
        partial.replace(file)
    except OSError as error:
        raise CaudexError(
            f"--to {file} cannot be written ({error.strerror or error}); what was encoded stays in the cache, so the same command goes on "
            "from there."
        ) from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_npy(file: Path, batches: FeatureBatches, names: list[str], width: int) -> None:
    """An array with the fields `file` (a string) and `features` (float32 [W]), a row an image; written as the batches come."""
    row = np.dtype([("file", f"U{max(map(len, names), default=1)}"), ("features", "f4", (width,))])
    header = {"descr": np.lib.format.dtype_to_descr(row), "fortran_order": False, "shape": (len(names),)}
    with file.open("wb") as opened:
        np.lib.format.write_array_header_1_0(opened, header)
        for part, features in batches:
            table = np.empty(len(part), row)
            table["file"], table["features"] = part, features
            opened.write(table.tobytes())


def write_csv(file: Path, batches: FeatureBatches, names: list[str], width: int) -> None:
    """file,0,1,...: a column a feature."""
    with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as opened:
        writer = csv.writer(opened)
        writer.writerow(["file", *range(width)])
        for part, features in batches:
            writer.writerows([name, *map(str, row)] for name, row in zip(part, features))


def write_parquet(file: Path, batches: FeatureBatches, names: list[str], width: int) -> None:
    """The columns `file` and `features`, a list of floats."""
    from caudex.data.files import printable

    pyarrow, parquet = import_parquet()
    kind = pyarrow.list_(pyarrow.float32(), width)
    schema = pyarrow.schema([("file", pyarrow.string()), ("features", kind)])
    with parquet.ParquetWriter(file, schema) as writer:
        for part, features in batches:
            values = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(features.reshape(-1)), width)
            files = pyarrow.array(map(printable, part), pyarrow.string())  # names must be UTF-8
            writer.write_table(pyarrow.table([files, values], schema=schema))


def import_parquet() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet. Raises CaudexError where they are missing."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise CaudexError(
            "--to: a .parquet needs the package pyarrow: pip install 'caudex[parquet]'; or write .npy or .csv."
        ) from None
    return pyarrow, parquet


WRITERS: dict[str, Callable] = {".npy": write_npy, ".csv": write_csv, ".parquet": write_parquet}
