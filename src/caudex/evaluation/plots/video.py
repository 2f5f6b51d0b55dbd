"""An episode as a video file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from caudex.core.disk import write_atomically
from caudex.core.errors import CaudexError


def write_video(images: Sequence[np.ndarray], file: Path, fps: float = 30) -> None:
    write_atomically(file, encode_video(images, fps))


def encode_video(images: Sequence[np.ndarray], fps: float = 30) -> bytes:
    """Images uint8 [H, W, 3] as H.264, the content of an .mp4. Raises CaudexError where PyAV is missing."""
    try:
        import av
    except ImportError:
        raise CaudexError("films need the package av: pip install 'caudex[video]'.") from None
    height, width = (length - length % 2 for length in enlarge(images[0]).shape[:2])  # the codec needs even lengths
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(float(fps)).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(enlarge(image)[:height, :width]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return content.getvalue()


def enlarge(image: np.ndarray, min_side: int = 160) -> np.ndarray:
    """Small frames with each pixel repeated, so that no side is below `min_side`."""
    times = -(-min_side // min(image.shape[:2]))
    return image.repeat(times, 0).repeat(times, 1) if times > 1 else image
