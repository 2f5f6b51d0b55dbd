"""Photos of balls and bars, as a person would have them: of any size, format and orientation."""

import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ENDINGS = ("png", "jpg", "webp", "jpeg")


def write_photo(path: Path, cat: bool, number: int, seed: int = 0) -> Path:
    """A photo of a yellow ball (a cat) or of blue bars (a dog): of any size, format and orientation."""
    noise = np.random.default_rng([seed, number, cat])
    width, height = (int(side) for side in noise.integers(24, 36, 2))
    image = Image.fromarray(noise.integers(0, 90, (height, width, 3), dtype=np.uint8))
    canvas = ImageDraw.Draw(image)
    if cat:
        canvas.ellipse((4, 4, width - 5, height - 5), fill=(230, 200, 40))
    for x in [] if cat else range(2, width, 6):
        canvas.line((x, 0, x, height), fill=(30, 90, 220), width=2)
    ending, options = ENDINGS[number % 4], {}
    if ending == "jpg":
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = 6  # lies on its side
    if number % 5 == 0:
        image = image.convert("L")
    elif ending == "png":
        image.putalpha(180)
    path = path / f"{number:03}.{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def write_photos(root: Path, labelled: int = 6, unlabelled: int = 8, test: int = 0) -> Path:
    for name in ("cat", "dog"):
        for number in range(labelled):
            write_photo(root / "labelled" / name, name == "cat", number)
        for number in range(test):
            write_photo(root / "test" / name, name == "cat", number, seed=1)
    for number in range(unlabelled):
        write_photo(root / "unlabelled" / ("deeper" if number % 2 else ""), number % 2 == 0, number, seed=2)
    return root


def write_bomb(path: Path, side: int = 20_000) -> None:
    """A valid PNG of one bit a pixel: some kilobytes that become 400 megapixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    squeezed = zlib.compress(bytes(1 + side // 8) * side, 9)
    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", squeezed) + chunk(b"IEND", b""))
