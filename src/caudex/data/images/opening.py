"""Opening image files: which formats are read, and what is refused before a pixel is decoded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from caudex.core.errors import short_message

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")  # only these: Pillow would hand .eps to Ghostscript
HEIF_SUFFIXES = (".heic", ".heif", ".hif")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
HEIF_ADVICE = "HEIC needs the package pillow-heif: pip install 'caudex[heic]'; or convert it to .jpg"
HAS_HEIF = find_spec("pillow_heif") is not None  # looked up, not imported: few sets have such photos
SUFFIXES = (
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"),
    *(HEIF_SUFFIXES if HAS_HEIF else ()),
)
_CONVERT = "is not read; convert it to .png or .jpg"
FOREIGN_SUFFIXES = ({} if HAS_HEIF else dict.fromkeys(HEIF_SUFFIXES, HEIF_ADVICE)) | {
    suffix: f"{suffix} {_CONVERT}"
    for suffix in (
        ".jxl", ".jp2", ".jfif", ".svg", ".psd", ".ppm", ".pgm", ".tga", ".ico", ".exr", ".hdr", ".dcm", ".nii",
        ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2",
    )
}  # fmt: skip
"""of images that are not read, and what to do"""
MAX_PIXELS = 89_478_485  # of an image: Pillow's limit, for a file of some kB can ask for all memory
MIN_SIDE = 4


class UnreadableError(Exception):
    """Why an image is left out."""


@contextmanager
def open_image(source: str | Image.Image, max_pixels: int) -> Iterator[Image.Image]:
    """The image of a source, looked at before its pixels are decoded; any error inside is an UnreadableError."""
    try:
        with source if isinstance(source, Image.Image) else _open_file(source) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise Image.DecompressionBombError
            if min(width, height) < MIN_SIDE:
                raise UnreadableError(f"{width} x {height} pixels; a side needs at least {MIN_SIDE}")
            yield image
    except UnreadableError:
        raise
    except Image.DecompressionBombError:
        reason = f"over {max_pixels:,} pixels, a decompression bomb? Of images, --max-pixels raises the limit"
        raise UnreadableError(reason) from None
    except FileNotFoundError:
        raise UnreadableError("not there, or no longer") from None
    except Exception as error:  # Pillow's readers raise nearly every kind on broken files
        raise UnreadableError(short_message(error)) from None


def _open_file(path: str) -> Image.Image:
    with Path(path).open("rb") as file:
        header = file.read(12)
    if not header:
        raise UnreadableError("an empty file")
    is_container, brand = header[4:8] == b"ftyp", header[8:]  # of HEIF and AVIF
    try:
        return Image.open(path, formats=FORMATS)
    except Image.UnidentifiedImageError:
        if not is_container:
            raise UnreadableError(FOREIGN_SUFFIXES.get(Path(path).suffix.lower(), "not an image")) from None
    if brand not in HEIF_BRANDS:
        raise UnreadableError("a broken AVIF file" if brand in (b"avif", b"avis") else "not an image")
    try:
        import pillow_heif
    except ImportError:
        raise UnreadableError(HEIF_ADVICE) from None
    pillow_heif.register_heif_opener(decode_threads=1)  # images are decoded on several threads already
    try:
        return Image.open(path, formats=("HEIF",))
    except Image.UnidentifiedImageError:
        raise UnreadableError("a broken HEIC file") from None


@contextmanager
def allow_pixels(max_pixels: int) -> Iterator[None]:
    """Pillow opens images of up to so many pixels, and warns of none: `open_image` refuses them, by the same limit.

    A limit above Pillow's own stays when this ends: it is the process's, and other threads may be reading."""
    if Image.MAX_IMAGE_PIXELS and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield
