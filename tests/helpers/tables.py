"""Tables of tags and numbers, with images that show them."""

from pathlib import Path

import numpy as np
from PIL import Image


def write_tagged_images(folder: Path, count: int = 60) -> list[tuple[str, set[str], float]]:
    """(file name, tags, number) of images of 16 x 16: `bar` is a white column, `sky` a blue upper half, and the number, from 20 to
    38 degrees, is how bright the lower right corner is."""
    folder.mkdir(parents=True, exist_ok=True)
    noise, rows = np.random.default_rng(0), []
    for number in range(count):
        tags, level = {tag for bit, tag in enumerate(("bar", "sky")) if number >> bit & 1}, number % 10
        pixels = noise.integers(0, 60, (16, 16, 3), dtype=np.uint8)
        if "sky" in tags:
            pixels[:8, :, 2] = 230
        if "bar" in tags:
            pixels[:, 2:5] = 255
        pixels[9:, 9:] = 20 + 25 * level
        name = f"{number:03}.png"
        Image.fromarray(pixels).save(folder / name)
        rows.append((name, tags, 20 + 2 * level))
    return rows


def write_table(path: Path, header: str, rows) -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path
