"""Videos as tests need them, and what is read of them."""

import av
import numpy as np
import pytest
from PIL import Image

from caudex import data
from caudex.core.errors import CaudexError
from helpers.image_files import save_image


def grey_frame(level, size=16):
    return np.full((size, size), level, dtype=np.uint8)


def write_frames(path, levels, size=16):
    for i, level in enumerate(levels):
        save_image(path / f"{i}.png", grey_frame(level, size))
    return path


def write_animation(path, frames, **options):
    """A .gif, .webp or .png of uint8 frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first, *others = map(Image.fromarray, frames)
    first.save(path, save_all=True, append_images=others, duration=50, **options)
    return path


def write_film(path, frames, codec="mpeg4", pixels="yuv420p"):
    """A film of uint8 [H, W, 3] frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.bit_rate = 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def coloured_frames(count, height=32, width=32):
    """Frames whose left half is red, whose right half grows brighter."""
    frames = np.zeros((count, height, width, 3), dtype=np.uint8)
    frames[:, :, : width // 2] = 200, 0, 0
    frames[:, :, width // 2 :] = (20 * np.arange(count))[:, None, None, None]
    return list(frames)


def first_pixels(clips):
    """The first value of each frame of each video."""
    return [clips.video(i)[:, 0, 0, 0].tolist() for i in range(len(clips))]


def load_clips(spec, **options):
    """All videos of a set."""
    split = data.load_videos(str(spec), test_share=0, **{"frames": 2, **options})
    assert len(split.test) == 0
    return split.train


def assert_videos_refused(words, spec, **options):
    """The sentence with which the videos are refused; it has these words and is one line."""
    with pytest.raises(CaudexError) as caught:
        data.load_videos(str(spec), **options)
    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence
    return sentence
