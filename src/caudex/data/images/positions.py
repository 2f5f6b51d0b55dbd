"""Photos of an object with its place: a folder with a table path,x,y, read and written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.data.headers import find_column
from caudex.data.images.csv_labels import parse_csv
from caudex.data.images.decode import ImageFormat
from caudex.data.images.image_stream import read_images
from caudex.data.images.targets import collect_cells
from caudex.data.labels import parse_number

TABLE = "positions.csv"
ADVICE = (
    " The table needs path,x,y: a file of the folder, and centimetres from the table's centre, to the right and away."
)


class PlacedPhotos(NamedTuple):
    """Photos, and where the object of each stands."""

    images: Tensor  # uint8 [N, C, H, W]
    positions: Tensor  # float64 [N, 2], cm
    skipped: list[tuple[str, str]]  # (path, reason)


def read_positions(folder: str | Path, image_format: ImageFormat) -> PlacedPhotos:
    """The photos that `positions.csv` in the folder names, path,x,y in cm. Raises CaudexError for a table or files that are not
    there, cells that are no numbers, and where no photo can be read."""
    folder = Path(folder)
    table = folder / TABLE
    if not table.is_file():
        raise CaudexError(f"{folder} has no {TABLE}.{ADVICE}")
    columns, lines = parse_csv(table)
    axes = [find_column(axis, columns, table, ADVICE) for axis in ("x", "y")]
    paths = list(dict.fromkeys(str(folder / name) for _, name, _ in lines))
    if missing := next((path for path in paths if not Path(path).is_file()), None):
        raise CaudexError(f"{table} names {missing}, which is not there; paths start at {folder}.")
    if not paths:
        raise CaudexError(f"{table} names no photo.{ADVICE}")
    row_of = {path: row for row, path in enumerate(paths)}
    rows = [row_of[str(folder / name)] for _, name, _ in lines]
    by_row = [collect_cells(lines, rows, axis, parse_number, table, "Keep one.") for axis in axes]
    placed = [row for row in range(len(paths)) if all(row in numbers for numbers in by_row)]
    unplaced = [(paths[row], "no position") for row in sorted({*rows} - {*placed})]
    if not placed:
        raise CaudexError(f"{table} has no photo with both x and y.{ADVICE}")
    images, names, skipped = read_images([paths[row] for row in placed], image_format)
    if not names:
        raise CaudexError(f"no photo of {folder} can be read; {skipped[0][0]}: {skipped[0][1]}.")
    positions = [[numbers[row_of[name]] for numbers in by_row] for name in names]
    return PlacedPhotos(images, torch.tensor(positions, dtype=torch.float64), unplaced + skipped)


def write_positions(images: Tensor, positions: Tensor, folder: Path) -> None:
    """Images [N, 3, H, W], uint8, and positions [N, 2] in cm as a new folder: NNNNN.png and positions.csv. It is there whole or not at
    all; raises CaudexError where it cannot be written."""
    partial = folder.with_name(f".{folder.name}.partial")
    rows = ["path,x,y"]
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for number, (image, (x, y)) in enumerate(zip(images, positions.tolist())):
            name = f"{number:05d}.png"
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(partial / name)
            rows.append(f"{name},{x:.4f},{y:.4f}")
        (partial / TABLE).write_text("\n".join(rows) + "\n")
        partial.rename(folder)
    except OSError as error:
        raise CaudexError(
            f"{folder} cannot be written ({error.strerror}); the images stay in the cache, so the same command goes on from there."
        ) from None
