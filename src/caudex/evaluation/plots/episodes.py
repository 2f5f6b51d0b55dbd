"""Images of an episode, as a film and as a sheet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from caudex.core.disk import write_atomically
from caudex.core.errors import CaudexError


def film(images: Sequence[np.ndarray], file: Path, rate: float = 30) -> None:
    """Images uint8 [H, W, 3], `rate` of them a second, as H.264 in an .mp4. Raises CaudexError where PyAV is missing."""
    try:
        import av
    except ImportError:
        raise CaudexError("--video needs the package av: pip install 'caudex[video]'.") from None
    height, width = (length - length % 2 for length in enlarged(images[0]).shape[:2])  # the codec wants even lengths
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(float(rate)).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(enlarged(image)[:height, :width]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    write_atomically(file, content.getvalue())


def sheet(images: Sequence[np.ndarray], columns: int = 6, rows: int = 2, width: int = 160) -> np.ndarray:
    """Some of the images, evenly spread in time, the first at the upper left: uint8 [H, W, 3]."""
    places = np.linspace(0, len(images) - 1, min(columns * rows, len(images))).round().astype(int)
    small = [
        np.asarray(Image.fromarray(images[i]).resize((width, round(width * images[i].shape[0] / images[i].shape[1]))))
        for i in places
    ]
    blank = np.full_like(small[0], 255)
    small += [blank] * (-len(small) % columns)
    lines = [np.concatenate(small[i : i + columns], 1) for i in range(0, len(small), columns)]
    return np.concatenate(lines, 0)


def enlarged(image: np.ndarray, least: int = 160) -> np.ndarray:
    """Frames of a few pixels, each pixel as a square."""
    times = -(-least // min(image.shape[:2]))
    return image.repeat(times, 0).repeat(times, 1) if times > 1 else image
