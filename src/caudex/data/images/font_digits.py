"""Digits drawn with fonts: a simulator of handwritten ones, with one fixed look or with random ones (Tobin et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from caudex.data.images.image_set import ImageSet, InMemoryImages, NumberedNames
from caudex.data.images.splits import UnsplitImages

FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta"),
    *("cmr10", "cmb10", "cmss10", "cmti10", "cmtt10"),
)
"""those with digits among the fonts that come with matplotlib"""
SIDE, SCALE = 28, 4  # pixels of an image's side; digits are drawn so many times as large, then shrunk


class Look(NamedTuple):
    """A row of the randomiser's table: its value where it is switched off, and the range that it is drawn from where it is on."""

    fixed: float
    low: float
    high: float


LOOKS = {
    "font": Look(0, 0, len(FONTS)),  # number of the font, rounded down
    "size": Look(0.7, 0.55, 0.95),  # height of the digit, as a share of the image's
    "aspect": Look(1.0, 0.6, 1.4),  # its width, as a multiple of the font's
    "shear": Look(0.0, -0.4, 0.4),  # pixels sideways a pixel down
    "rotation": Look(0.0, -20.0, 20.0),  # degrees
    "stroke": Look(0.0, 0.0, 0.06),  # added to each side of a stroke, as a share of the image's side
    "across": Look(0.0, -0.1, 0.1),  # position off the centre, as a share of the image's side
    "down": Look(0.0, -0.1, 0.1),
    "blur": Look(0.0, 0.0, 1.2),  # standard deviation in pixels
    "noise": Look(0.0, 0.0, 0.15),  # standard deviation of each pixel; white is 1
    "contrast": Look(1.0, 0.5, 1.0),  # brightness of the ink
}
"""the randomiser's table"""


def load_font_digits() -> UnsplitImages:
    """Each digit in each font, upright and clean: 210 images of one look."""
    numbers = np.arange(10 * len(FONTS))
    looks = sample_looks(len(numbers), 0, ()) | {"font": numbers // 10}
    return _as_images("font-digits", numbers % 10, looks)


def load_random_font_digits() -> UnsplitImages:
    """5,000 digits, each with a look of its own."""
    numbers = np.arange(5000)
    return _as_images("random-font-digits", numbers % 10, sample_looks(len(numbers), 0))


def _as_images(name: str, digits: np.ndarray, looks: Mapping[str, np.ndarray]) -> UnsplitImages:
    pixels = torch.from_numpy(render_digits(digits, looks)).unsqueeze(1)  # [N, 1, H, W]
    store = InMemoryImages(pixels, NumberedNames(name, len(digits)))
    return UnsplitImages(ImageSet(store, torch.from_numpy(digits), tuple("0123456789")))


def sample_looks(count: int, seed: int, rows: Collection[str] = tuple(LOOKS)) -> dict[str, np.ndarray]:
    """A value [count] for each row of `LOOKS`, all the same for those that are not among `rows`. To switch one off leaves the
    others as they are."""
    looks = {}
    for number, (name, look) in enumerate(LOOKS.items()):
        values = np.random.default_rng([seed, number]).uniform(look.low, look.high, count)
        looks[name] = values if name in rows else np.full(count, look.fixed)
    return looks


def render_digits(digits: np.ndarray, looks: Mapping[str, np.ndarray], seed: int = 0) -> np.ndarray:
    """uint8 [N, 28, 28]: digits [N] in white on black, with the values [N] of each row of `LOOKS`; the noise follows from `seed`."""
    by_image = [dict(zip(looks, map(float, values))) for values in zip(*looks.values())]
    images = np.stack([_draw_digit(str(digit), look) for digit, look in zip(digits, by_image)])
    noise = np.random.default_rng(seed).standard_normal(images.shape, dtype=np.float32)
    images = images * looks["contrast"][:, None, None] + noise * looks["noise"][:, None, None]
    return (images.clip(0, 1) * 255).round().astype(np.uint8)


def _draw_digit(digit: str, look: Mapping[str, float]) -> np.ndarray:
    """float32 [28, 28] in [0, 1], without contrast and noise."""
    side, stroke = SIDE * SCALE, round(look["stroke"] * SIDE * SCALE)
    font = _load_font(FONTS[int(look["font"])])
    left, top, right, bottom = font.getbbox(digit, stroke_width=stroke)
    glyph = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(glyph).text((-left, -top), digit, fill=255, font=font, stroke_width=stroke)
    # from a pixel of the image to one of the glyph: off the centre, turned back, sheared back, shrunk back
    scale = look["size"] * side / glyph.height
    angle = math.radians(look["rotation"])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    shear = np.array([[1.0, look["shear"]], [0.0, 1.0]])
    matrix = np.diag([1 / (scale * look["aspect"]), 1 / scale]) @ shear @ turn
    centre = np.array([side / 2 + look["across"] * side, side / 2 + look["down"] * side])
    offset = np.array(glyph.size) / 2 - matrix @ centre
    coefficients = (*matrix[0], offset[0], *matrix[1], offset[1])
    image = glyph.transform((side, side), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    image = image.reduce(SCALE).filter(ImageFilter.GaussianBlur(look["blur"]))
    return np.asarray(image, np.float32) / 255


@lru_cache(maxsize=len(FONTS))
def _load_font(name: str) -> ImageFont.FreeTypeFont:
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", SIDE * SCALE)
