"""Folders of videos: .gif and films, or folders of frame images; into memory, at one size."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageSequence

from caudex.core.errors import CaudexError, counted
from caudex.core.progress import track
from caudex.data.files import printable
from caudex.data.images import stores
from caudex.data.images.decode import (
    MIN_DEFAULT_SIDE,
    ImageFormat,
    common_format,
    decode_image,
)
from caudex.data.images.opening import MAX_PIXELS, SUFFIXES, UnreadableError, allow_pixels, open_image
from caudex.data.labels import folder_class
from caudex.data.layouts import TEST, TRAIN, VALIDATION
from caudex.data.video.video_set import VideoSet

ANIMATED_SUFFIXES = (".gif", ".webp", ".png")
FILM_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm")
DEMUXERS = "mov,avi,matroska,webm"  # only these: FFmpeg reads playlists too, and fetches what they name


def read_video_folder(root: Path, size: int) -> tuple[VideoSet, list[tuple[str, str]], torch.Tensor | None]:
    """The videos root/** or root/<class>/**, one folder deep, (path, reason) of those left out, and which are a given test.

    With root/train and root/test (or val) both are read so, and the latter is the test: bool [N]; else None. A video that
    cannot be read to its end is left out whole, as a gap in time would teach a wrong next frame.
    """
    train, test = find_video_split(root)
    paths, labels, classes = _list_videos(root / train)
    test_paths, test_labels, test_classes = _list_videos(root / test) if test else ([], [], [])
    if test and test_classes != classes:
        train_words, test_words = (", ".join(names) or "no class folders" for names in (classes, test_classes))
        raise CaudexError(
            f"{printable(root / train)} has {train_words}, but {printable(root / test)} has {test_words}; give both the same."
        )
    with allow_pixels(MAX_PIXELS):
        videos, skipped, readable = _read_videos(paths + test_paths, labels + test_labels, classes, root, size)
    return videos, skipped, torch.tensor(readable) >= len(paths) if test else None


def find_video_split(root: Path) -> tuple[str, str]:
    """The folders of a set that comes in two parts, such as train and val, in any case; '' and '' where it does not."""
    folders = {path.name.lower(): path.name for path in _entries(root) if path.is_dir() and not _is_video(path)}
    train = next((folders[name] for name in TRAIN if name in folders), "")
    test = next((folders[name] for name in TEST + VALIDATION if name in folders), "")
    return (train, test) if train and test else ("", "")


def natural_sort_key(path: Path) -> tuple[list[str | int], str]:
    """A key to sort by: frame2 before frame10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split("([0-9]+)", path.name))], path.name


def check_frames_fit(name: str | Path, planes: int, side: int) -> None:
    """CaudexError if so many planes (channels of frames) are too much for memory."""
    if planes * side**2 > stores.MEMORY_LIMIT:
        raise CaudexError(
            f"The frames of {name} take more than {stores.MEMORY_LIMIT / 1e6:,.0f} MB at {side} x {side} pixels; "
            "choose a smaller --size or fewer videos."
        )


# --- finding videos ------------------------------------------------------------------------------------------------


def _list_videos(root: Path) -> tuple[list[Path], list[int], list[str]]:
    """Videos, the class number of each (-1 for none), and the class names."""
    top_level, folders = _videos_in(root)
    by_class = [_videos_in(folder)[0] for folder in folders]
    if not top_level and not any(by_class):
        suffixes = ", ".join(ANIMATED_SUFFIXES + FILM_SUFFIXES)
        raise CaudexError(
            f"{root} has no video; looked for folders of frame images and for {suffixes} in it and in its folders."
        )
    if not any(by_class):
        return top_level, [-1] * len(top_level), []
    if top_level:
        raise CaudexError(
            f"{root} has {counted(len(top_level), 'video')} (or folders of frames) outside a class folder, the first is {printable(top_level[0].name)}. "
            f"Move them to {root}/<class>/."
        )
    for folder, videos in zip(folders, by_class):
        if not videos:
            raise CaudexError(f"{printable(folder)} has no video. Add some, or remove the folder.")
    labels = [label for label, videos in enumerate(by_class) for _ in videos]
    return list(itertools.chain(*by_class)), labels, [folder_class(folder.name) for folder in folders]


def _videos_in(folder: Path) -> tuple[list[Path], list[Path]]:
    """Videos that lie in a folder, files and folders of frames, and its other folders."""
    videos, folders = [], []
    for path in _entries(folder):
        if path.is_dir():
            (videos if _is_video(path) else folders).append(path)
        elif path.suffix.lower() in ANIMATED_SUFFIXES + FILM_SUFFIXES:
            videos.append(path)
    return videos, folders


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder and is not hidden, in natural order."""
    try:
        return sorted((path for path in folder.iterdir() if not path.name.startswith(".")), key=natural_sort_key)
    except OSError as error:
        raise CaudexError(f"{printable(folder)} cannot be looked into: {error.strerror}.") from None


def _is_video(folder: Path) -> bool:
    """Whether it holds the frames of one video, and not videos."""
    entries = _entries(folder)
    stills, suffixes = _still_images(entries), {path.suffix.lower() for path in entries}
    return bool(stills) and not suffixes & {".gif", *FILM_SUFFIXES} and not _is_animated(stills[0])


def _still_images(entries: list[Path]) -> list[Path]:
    return [path for path in entries if path.suffix.lower() in SUFFIXES]


def _is_animated(path: Path) -> bool:
    try:
        with open_image(str(path), MAX_PIXELS) as image:
            return getattr(image, "n_frames", 1) > 1
    except UnreadableError:
        return False  # the reader says why


# --- reading -------------------------------------------------------------------------------------------------------


def _read_videos(paths: list[Path], labels: list[int], classes: list[str], root: Path, size: int):
    if film := next((path for path in paths if path.suffix.lower() in FILM_SUFFIXES), None):
        _require_av(film)
    names = [printable(path) for path in paths]
    try:
        first_frames = FirstFrames(names, lambda row: _first_frame(paths[row]))
        (_, side, _), pixel_range, *_ = common_format(first_frames, ImageFormat((0, size, size)))
    except CaudexError:  # none of the sample can be read; the reader tells of every video why
        side, pixel_range = size or MIN_DEFAULT_SIDE, None
    image_format = ImageFormat((3, side, side), pixel_range)
    reader, pool = _Reader(root, image_format), ThreadPoolExecutor(torch.get_num_threads())
    try:
        results = list(track(pool.map(reader, paths), "reading videos", len(paths)))
    finally:
        reader.stopped = True  # so that Ctrl-C need not wait for a long film
        pool.shutdown(cancel_futures=True)
    skipped = [(name, reason) for name, reason in zip(names, results) if isinstance(reason, str)]
    readable = [i for i, result in enumerate(results) if not isinstance(result, str)]
    lengths = torch.tensor([len(results[i]) for i in readable], dtype=torch.int64)
    starts = lengths.cumsum(0) - lengths
    frames = torch.empty(int(lengths.sum()), reader.channels, side, side, dtype=torch.uint8)
    for i, start, length in zip(readable, starts, lengths):
        frames[start : start + length] = torch.from_numpy(results[i])  # one channel is repeated where there are three
        results[i] = None  # else all would lie in memory twice
    labels = torch.tensor([labels[i] for i in readable], dtype=torch.int64)
    videos = VideoSet(frames, starts, lengths, labels, tuple(classes), [names[i] for i in readable])
    return videos, skipped, readable


class FirstFrames:
    """The first frame of each video, from which `common_format` chooses the size of all."""

    def __init__(self, names: list[str], source: Callable[[int], str | Image.Image]):
        self.names, self.source = names, source

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, row: int) -> str:
        return self.names[row]


class _Reader:
    """Frames of one size. Grey ones take one channel until any video shows one in colour: many films begin in black,
    so that their first frames do not tell."""

    def __init__(self, root: Path, image_format: ImageFormat):
        self.root, self.image_format, self.side = root, image_format, image_format.shape[1]
        self.channels = 1
        self.stopped = False
        self._count = itertools.count(1)  # frames so far, of all threads

    def __call__(self, path: Path) -> np.ndarray | str:
        """uint8 [T, 1 or 3, side, side], or the reason why the video is left out."""
        frames: list[np.ndarray] = []
        try:
            for source in _iterate_frames(path, self.side):
                frames.append(self._decode_frame(source))
                if self.stopped:
                    return "interrupted"
        except UnreadableError as reason:
            if path.is_dir():
                return f"{printable(_still_images(_entries(path))[len(frames)].name)}: {reason}"
            return f"frame {len(frames) + 1:,}: {reason}" if frames else str(reason)
        if not frames:
            return "no frame"
        channels = max(map(len, frames))
        return np.stack([np.broadcast_to(frame, (channels, self.side, self.side)) for frame in frames])

    def _decode_frame(self, source: str | Image.Image) -> np.ndarray:
        frame = decode_image(source, self.image_format)
        if (frame == frame[:1]).all():
            frame = frame[:1].copy()
        else:
            self.channels = 3
        check_frames_fit(self.root, next(self._count) * self.channels, self.side)
        return frame


def _first_frame(path: Path) -> str | Image.Image:
    frame = next(_iterate_frames(path), None)
    if frame is None:
        raise UnreadableError("no frame")
    return frame


def _iterate_frames(path: Path, side: int | None = None) -> Iterator[str | Image.Image]:
    """The frames of a video in order: paths of images, or PIL images. Where they will be cut to `side`, those of a
    film come in twice that: the rest of an HD frame costs most of the time. Raises UnreadableError with the reason."""
    if path.is_dir():
        yield from map(str, _still_images(_entries(path)))
    elif path.suffix.lower() in FILM_SUFFIXES:
        yield from _decode_film(path, side)
    else:
        with open_image(str(path), MAX_PIXELS) as image:
            for frame in ImageSequence.Iterator(image):
                yield frame.copy()


def _decode_film(path: Path, side: int | None) -> Iterator[Image.Image]:
    import av

    try:
        with av.open(str(path), options={"format_whitelist": DEMUXERS}) as container:
            stream = next(iter(container.streams.video), None)
            if stream is None:
                raise UnreadableError("no images in it, only sound")
            if stream.width * stream.height > MAX_PIXELS:
                raise UnreadableError(f"over {MAX_PIXELS:,} pixels a frame, a decompression bomb?")
            for frame in container.decode(stream):
                shrink = min(1, 2 * side / min(frame.width, frame.height)) if side else 1
                size = {"width": round(frame.width * shrink), "height": round(frame.height * shrink)}
                yield frame.to_image(**size).rotate(frame.rotation, expand=True)
    except UnreadableError:
        raise
    except Exception as error:  # FFmpeg's own, and Python's for what it left out of a broken file
        raise UnreadableError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None


def _require_av(path: Path) -> None:
    try:
        import av  # noqa: F401
    except ImportError:
        raise CaudexError(f"{printable(path)} needs the package av: pip install 'caudex[video]'") from None
