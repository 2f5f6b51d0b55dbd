"""How proxy reality looks: materials, lights, surroundings and a sensor, none of them a row of the randomiser."""

from __future__ import annotations

import colorsys
from io import BytesIO
from typing import NamedTuple

import numpy as np

LOOKS = 1
"""of what follows; another number when the images change"""
TEXTURE_SIDE = 128
METALS = ("Al", "Cu", "Au", "Cr")
METAL_SHARE, GLASS_SHARE = 0.15, 0.15
"""of objects; the object of interest is never of glass"""


class CameraSettings(NamedTuple):
    """What a sensor does to light."""

    exposure: float  # mean brightness, linear
    balance: tuple[float, float, float]  # factor of each channel
    vignetting: float  # share of the light that is lost in the corners
    electrons: float  # of a white pixel: fewer are noisier
    quality: int  # of the JPEG


class ProxyLook:
    """Draws one look; `random` draws it in one order, so that it is a function of its seed."""

    def __init__(self, mitsuba, random: np.random.Generator):
        self.mitsuba, self.random = mitsuba, random
        self.seed = int(random.integers(1 << 31))
        """of the rays"""

    def material(self, role: str):
        """Of an "object", a "distractor" or a "surface", which is never of metal or glass."""
        kind = self.random.random() if role != "surface" else 1.0
        if kind < METAL_SHARE:
            rough = {"alpha": float(self.random.uniform(0.1, 0.4)), "distribution": "ggx"}
            return self.mitsuba.load_dict(
                {"type": "roughconductor", "material": str(self.random.choice(METALS))} | rough
            )
        if role == "distractor" and kind < METAL_SHARE + GLASS_SHARE:
            return self.mitsuba.load_dict({"type": "dielectric", "int_ior": float(self.random.uniform(1.4, 1.7))})
        paint = {
            "type": "principled",
            "base_color": self.texture(),
            "roughness": float(self.random.uniform(0.15, 0.9)),
            "specular": float(self.random.uniform(0.2, 0.8)),
            "clearcoat": float(self.random.choice((0.0, 0.0, 1.0))),
        }
        return self.mitsuba.load_dict(paint)

    def texture(self) -> dict:
        pixels = PATTERNS[int(self.random.integers(len(PATTERNS)))](self.random)
        scale = float(self.random.uniform(0.8, 2.5))
        return {
            "type": "bitmap",
            "bitmap": self.mitsuba.Bitmap(np.round(255 * pixels.clip(0, 1)).astype(np.uint8)),
            "to_uv": self.mitsuba.ScalarTransform4f().scale([scale, scale, 1]),
        }

    def lights(self, frame, distance: float, half: float) -> dict[str, dict]:
        """One to three square lamps farther from the table's centre than the camera, which so never stand between the two.
        `frame` is the table's pose, `half` half its side."""
        lamps = {}
        count = int(self.random.integers(1, 4))
        for i in range(count):
            height, bearing = np.radians(self.random.uniform(30, 85)), self.random.uniform(0, 2 * np.pi)
            away = max(distance, 3 * half) * self.random.uniform(1.4, 2.2)
            place = away * np.array(
                [np.cos(height) * np.cos(bearing), np.cos(height) * np.sin(bearing), np.sin(height)]
            )
            side = half * self.random.uniform(0.3, 2.0)
            power = self.random.uniform(0.5, 1.0) * (away / side) ** 2 * 3 / count
            look_at = frame.look_at(place.tolist(), [0, 0, 0], [np.sin(bearing), -np.cos(bearing), 0])
            radiance = {"type": "rgb", "value": (power * warmth(self.random)).tolist()}
            emitter = {"type": "area", "radiance": radiance}
            lamps[f"lamp_{i}"] = {"type": "rectangle", "to_world": look_at.scale(side), "emitter": emitter}
        return lamps

    def environment(self, frame) -> dict:
        """Dim surroundings with two bright windows."""
        height, width = 16, 32
        v, u = np.mgrid[:height, :width]
        sky = (0.2 + 0.6 * (1 - v / height)[..., None]) * warmth(self.random)
        for _ in range(2):
            row, column = self.random.uniform(0, height / 2), self.random.uniform(0, width)
            near = np.exp(-((v - row) ** 2 + (u - column) ** 2) / (2 * self.random.uniform(1, 2) ** 2))
            sky = sky + 6 * near[..., None] * warmth(self.random)
        pixels = (self.random.uniform(0.1, 0.6) * sky).astype(np.float32)
        upright = frame.rotate([1, 0, 0], 90)  # Mitsuba's up is y
        return {"type": "envmap", "bitmap": self.mitsuba.Bitmap(pixels), "to_world": upright}

    def camera_settings(self) -> CameraSettings:
        draw = self.random.uniform
        return CameraSettings(
            draw(0.15, 0.4), tuple(draw(0.92, 1.08, 3)), draw(0.05, 0.4), 10 ** draw(2.7, 4), int(draw(60, 96))
        )


def develop(radiance: np.ndarray, settings: CameraSettings, random: np.random.Generator) -> np.ndarray:
    """uint8 [H, W, 3] of radiance [H, W, 3]: exposure, vignetting, shot noise, sRGB, JPEG."""
    from PIL import Image

    height, width, _ = radiance.shape
    y, x = (np.mgrid[:height, :width] + 0.5) / np.array([height, width])[:, None, None] * 2 - 1
    corner = (x**2 + y**2)[..., None] / 2  # 1 in the corners
    metered = float(np.minimum(radiance, 4 * np.median(radiance)).mean())  # a highlight does not darken the rest
    light = radiance.clip(0) * settings.exposure / max(metered, 1e-6)
    light = light * settings.balance * (1 - settings.vignetting * corner)
    counts = random.poisson(light.clip(0, 4) * settings.electrons)
    seen = (counts / settings.electrons).clip(0, 1)
    encoded = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    file = BytesIO()
    Image.fromarray(np.round(255 * encoded).astype(np.uint8)).save(file, "JPEG", quality=settings.quality)
    return np.array(Image.open(file))


# -- patterns, [S, S, 3] in [0, 1] ------------------------------------------------------------------------------------


def clouds(random: np.random.Generator, coarsest: int = 4, falloff: float = 0.5) -> np.ndarray:
    """Fractal noise [S, S] in about [0, 1]."""
    from PIL import Image

    total, weight, sum_weights, cells = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE)), 1.0, 0.0, coarsest
    while cells <= TEXTURE_SIDE:
        grid = Image.fromarray(random.random((cells, cells), np.float32))
        total += weight * np.asarray(grid.resize((TEXTURE_SIDE, TEXTURE_SIDE), Image.Resampling.BICUBIC))
        sum_weights, weight, cells = sum_weights + weight, weight * falloff, 2 * cells
    return total / sum_weights


def blend(mix: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Between two colours of one hue or of two."""
    first, second = paint_colour(random), paint_colour(random)
    second = second if random.random() < 0.5 else first * random.uniform(0.35, 0.75)
    return first + mix.clip(0, 1)[..., None] * (second - first)


def paint_colour(random: np.random.Generator) -> np.ndarray:
    return np.array(colorsys.hsv_to_rgb(random.random(), random.beta(2, 3), random.uniform(0.25, 0.95)))


def warmth(random: np.random.Generator) -> np.ndarray:
    """The colour of a light, from a lamp's to a northern sky's."""
    t = random.uniform(-1, 1)
    return np.array([1 + 0.25 * t, 1.0, 1 - 0.3 * t])


def wood(random: np.random.Generator) -> np.ndarray:
    v, u = np.mgrid[:TEXTURE_SIDE, :TEXTURE_SIDE] / TEXTURE_SIDE
    rings = (random.uniform(3, 9) * u + random.uniform(1, 3) * clouds(random, 2) + 0.3 * v) % 1
    return blend(0.7 * rings + 0.3 * clouds(random, 32), random)


def marble(random: np.random.Generator) -> np.ndarray:
    v, u = np.mgrid[:TEXTURE_SIDE, :TEXTURE_SIDE] / TEXTURE_SIDE
    veins = np.abs(np.sin(random.uniform(3, 8) * (u + v) + 9 * clouds(random)))
    return blend(veins ** random.uniform(0.3, 2), random)


def granite(random: np.random.Generator) -> np.ndarray:
    grains = clouds(random, 32, 0.8)
    return blend(np.clip((grains - 0.45) * random.uniform(4, 9), 0, 1), random)


def cloth(random: np.random.Generator) -> np.ndarray:
    v, u = np.mgrid[:TEXTURE_SIDE, :TEXTURE_SIDE] / TEXTURE_SIDE
    threads = np.pi * random.integers(8, 32, 2)
    weave = np.sin(threads[0] * u) ** 2 * np.sin(threads[1] * v) ** 2
    return blend(0.6 * weave + 0.4 * clouds(random), random)


def plain(random: np.random.Generator) -> np.ndarray:
    """Paint that is nearly even."""
    return paint_colour(random) * (0.9 + 0.2 * clouds(random)[..., None])


PATTERNS = (wood, marble, granite, cloth, plain)
