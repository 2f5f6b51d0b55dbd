"""Rendered images as a folder of photos with their positions, as `localization --photos` reads it."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from caudex.core.errors import CaudexError
from caudex.data.images.positions import TABLE
from caudex.experience.rendered import RenderedImages


def write_photos(rendered: RenderedImages, folder: Path) -> None:
    """The new folder: NNNNN.png, and positions.csv (path,x,y in cm). It is there whole or not at all."""
    partial = folder.with_name(f".{folder.name}.partial")
    rows = ["path,x,y"]
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for number, (image, (x, y)) in enumerate(zip(rendered.images, rendered.positions.tolist())):
            name = f"{number:05d}.png"
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(partial / name)
            rows.append(f"{name},{x:.4f},{y:.4f}")
        (partial / TABLE).write_text("\n".join(rows) + "\n")
        partial.rename(folder)
    except OSError as error:
        raise CaudexError(
            f"{folder} cannot be written ({error.strerror}); the images stay in the cache, so the same command goes on from there."
        ) from None
