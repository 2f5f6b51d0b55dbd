"""The randomiser's table: each row is a named range that can be switched off; a scene is a function of (seed, its number)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.core.seeds import derive_seed
from caudex.envs.scenes.scene import (
    BODY,
    CAMERA,
    PATTERNS,
    SOLIDS,
    TABLE_HALF,
    Camera,
    Light,
    Scene,
    SceneObject,
    Texture,
    multiply_quaternions,
    quaternion_matrix,
    rotation_quaternion,
)
from caudex.views import Draw

MAX_DISTRACTORS, MAX_LIGHTS = 6, 3
TRIES = 20  # places tried for a distractor; it is left out where all are taken
GAP = 0.005  # metres between objects at least
CAMERA_BOX = np.array([0.05, 0.025, 0.05])
"""half of the box in which the camera moves, metres (Tobin et al. 2017: 10 x 5 x 10 cm)"""
AMBIENT_SHARE = 0.4
"""of the brightness"""


class RandomiserRow(NamedTuple):
    """A named range: what it is, from `low` to `high` in training, the `held_out` range beside it that tests draw from, and what
    stands where the row is `off`."""

    what: str
    low: float
    high: float
    held_out: tuple[float, float]
    off: float


ROWS = {
    "textures": RandomiserRow("pattern of each surface, by its number", 0, 3, (4, 5), 0),
    "colours": RandomiserRow("each channel of each colour", 0.0, 1.0, (0.0, 1.0), 0.0),
    "lights": RandomiserRow("height of one to three lights, degrees above the table", 35, 80, (25, 35), 60),
    "brightness": RandomiserRow("of all lights together", 0.7, 1.3, (1.3, 1.6), 1.0),
    "camera": RandomiserRow("place, in halves of a box of 10 x 5 x 10 cm on each axis", 0.0, 1.0, (1.0, 1.3), 0.0),
    "angle": RandomiserRow("pan, tilt and roll of the camera, radians", 0.0, 0.05, (0.05, 0.065), 0.0),
    "fov": RandomiserRow("change of the field of view, as a share of it", 0.0, 0.05, (0.05, 0.065), 0.0),
    "distractors": RandomiserRow("number of other objects", 0, MAX_DISTRACTORS, (0, MAX_DISTRACTORS), 0),
    "shapes": RandomiserRow("shape of each distractor, by its number among the other seven", 0, 6, (0, 6), 0),
    "sizes": RandomiserRow("factor of each object's size", 0.8, 1.2, (1.2, 1.3), 1.0),
    "noise": RandomiserRow("standard deviation of pixels in [0, 1]", 0.0, 0.04, (0.04, 0.05), 0.0),
}
PALETTE = ((0.75, 0.15, 0.12), (0.15, 0.35, 0.7), (0.55, 0.42, 0.3), (0.45, 0.45, 0.47))
"""of the object of interest, distractors, the table, and all else, where the row colours is off"""


@dataclass(frozen=True)
class Randomiser:
    """Draws scenes: `shape` is the object of interest's, `off` the rows that do not vary, `held_out` draws each row from the range
    beside the one of training.

    `num_textures` is how many different textures there are. `surfaces` counts those that are no object; `camera` is the pose from
    which a row departs; `half` are half the table's sides. `body`: half the size of the object in a user's model, with its
    centre's height above the table as the last.
    Each row has random numbers of its own, so that switching one off leaves what the others draw.
    """

    shape: str = "cone"
    num_textures: int = 1000
    off: Collection[str] = ()
    seed: int = 0
    held_out: bool = False
    surfaces: int = 2
    camera: Camera = CAMERA
    half: tuple[float, float] = (TABLE_HALF, TABLE_HALF)
    body: tuple[float, float, float] | None = None
    others: tuple[str, ...] = field(init=False, default=())

    def __post_init__(self):
        check_rows(self.off)
        shape = BODY if self.body else self.shape
        if shape not in SOLIDS and not self.body:
            raise CaudexError(f"{shape!r} is no shape.{did_you_mean(shape, SOLIDS)} Known: {', '.join(SOLIDS)}.")
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "others", tuple(name for name in SOLIDS if name != shape)[:7])

    def scenes(self, numbers: Sequence[int]) -> list[Scene]:
        """The scenes of these numbers."""
        rows = {name: self.draw_row(name, numbers) for name in ROWS}
        drawn = self.draw("places", numbers)
        rows |= {"place": drawn.uniform(2, low=-1).double().numpy(), "yaw": drawn.uniform(7, high=2 * np.pi).numpy()}
        rows["tries"] = drawn.uniform(MAX_DISTRACTORS, TRIES, 2, low=-1).double().numpy()
        rows["noise seed"] = drawn.integers(1 << 62).numpy()
        return [self.assemble({name: values[i] for name, values in rows.items()}) for i in range(len(numbers))]

    def draw(self, name: str, numbers: Sequence[int]) -> Draw:
        """Random numbers of this name, for each scene."""
        return Draw(derive_seed(self.seed, "scene", name), 0, torch.as_tensor(numbers))

    def draw_row(self, name: str, numbers: Sequence[int]) -> np.ndarray:
        """[N, ...]: what the row draws for each number."""
        draw, row = self.draw(name, numbers), ROWS[name]
        count = 1 + MAX_DISTRACTORS + self.surfaces

        def values(*shape: int) -> np.ndarray:
            low, high = row.held_out if self.held_out else (row.low, row.high)
            drawn = draw.uniform(*shape).double().numpy()
            return np.full_like(drawn, row.off) if name in self.off else low + (high - low) * drawn

        def integers(*shape: int) -> np.ndarray:
            low, high = row.held_out if self.held_out else (row.low, row.high)
            drawn = draw.integers(int(high - low) + 1, *shape).numpy() + int(low)
            return np.full_like(drawn, int(row.off)) if name in self.off else drawn

        if name == "textures":  # numbers in the bank
            return draw.integers(self.num_textures, count).numpy() * (name not in self.off)
        if name == "colours":  # of flat surfaces, where there are no textures
            return values(count, 3)
        if name == "lights":  # number, heights, bearings, tints
            number = 1 + draw.integers(MAX_LIGHTS).numpy()[:, None] * (name not in self.off)
            others = draw.uniform(MAX_LIGHTS, 4).double().numpy()
            others = np.full_like(others, 0.75) if name in self.off else others
            return np.concatenate([number, values(MAX_LIGHTS), others.reshape(len(others), -1)], 1)
        if name in ("camera", "angle"):  # on each axis, in both directions
            return values(3) * (1 - 2 * draw.integers(2, 3).numpy())
        if name == "fov":
            return values(1) * (1 - 2 * draw.integers(2, 1).numpy())
        if name == "distractors":
            return integers(1)
        return integers(MAX_DISTRACTORS) if name == "shapes" else values(7 if name == "sizes" else 1)

    def assemble(self, drawn: Mapping[str, np.ndarray]) -> Scene:
        objects = self.place_objects(drawn)
        distractors = len(objects) - 1
        offset, (tilt, pan, roll) = drawn["camera"] * CAMERA_BOX, drawn["angle"]
        position = np.array(self.camera.position) + quaternion_matrix(self.camera.quaternion) @ offset
        quaternion = multiply_quaternions(self.camera.quaternion, rotation_quaternion((tilt, pan, roll)))
        camera = Camera(tuple(position.tolist()), quaternion, self.camera.fovy * (1 + float(drawn["fov"][0])))
        surfaces = range(1 + MAX_DISTRACTORS, 1 + MAX_DISTRACTORS + self.surfaces)
        brightness = float(drawn["brightness"][0])
        draws = {name: tuple(np.ravel(drawn[name]).tolist()) for name in ROWS}
        draws["distractors"] = (float(distractors),)
        return Scene(
            tuple(objects),
            tuple(self.texture(drawn, i) for i in surfaces),
            camera,
            tuple(lights(drawn["lights"], (1 - AMBIENT_SHARE) * brightness)),
            (AMBIENT_SHARE * brightness,) * 3,
            float(drawn["noise"][0]),
            int(drawn["noise seed"]),
            draws,
        )

    def place_objects(self, drawn: Mapping[str, np.ndarray]) -> list[SceneObject]:
        """Upright on the table, whole, and apart from each other."""
        half, sizes, yaws = np.array(self.half), drawn["sizes"].tolist(), drawn["yaw"].tolist()
        objects, centres, reaches = [], np.empty((0, 2)), np.empty(0)
        for i in range(1 + int(drawn["distractors"][0])):
            shape = self.others[int(drawn["shapes"][i - 1])] if i else self.shape
            size = self.body if shape == BODY else tuple(sizes[i] * side for side in SOLIDS[shape].half_size)
            reach = float(np.hypot(*size[:2]))
            tries = (drawn["tries"][i - 1] if i else drawn["place"][None]) * (half - reach)
            distances = np.hypot(*np.moveaxis(tries[:, None] - centres, -1, 0)) - reaches  # [tries, objects]
            (free,) = np.nonzero((distances > reach + GAP).all(1))
            if not len(free):
                continue
            x, y = tries[free[0]].tolist()
            centres, reaches = np.vstack([centres, [x, y]]), np.append(reaches, reach)
            objects.append(SceneObject(shape, size, (x, y, size[2]), yaws[i], self.texture(drawn, i)))
        return objects

    def texture(self, drawn: Mapping[str, np.ndarray], surface: int) -> Texture:
        """That of a surface: object, distractors, then all else."""
        first_other = 1 + MAX_DISTRACTORS
        standard = PALETTE[0 if surface == 0 else 1 if surface < first_other else 2 if surface == first_other else 3]
        if "textures" in self.off:
            colour = standard if "colours" in self.off else tuple(drawn["colours"][surface].tolist())
            return Texture("flat", (colour, colour))
        texture = self.bank[int(drawn["textures"][surface])]
        if "colours" in self.off:
            return Texture(texture.pattern, (standard, tuple(c * 0.5 for c in standard)), texture.cells, texture.angle)
        return texture

    @cached_property
    def bank(self) -> list[Texture]:
        """All textures."""
        return make_textures(self.num_textures, derive_seed(self.seed, "textures"), self.held_out)


def make_textures(count: int, seed: int, held_out: bool = False) -> list[Texture]:
    """Texture i is a function of (seed, i) alone."""
    draw = Draw(seed, 0, torch.arange(count))
    row = ROWS["textures"]
    low, high = row.held_out if held_out else (row.low, row.high)
    patterns = (draw.integers(int(high - low) + 1) + int(low)).tolist()
    low, high = ROWS["colours"].held_out if held_out else (ROWS["colours"].low, ROWS["colours"].high)
    colours = draw.uniform(2, 3, low=low, high=high).double().tolist()
    cells, angles = draw.uniform(low=2, high=12).double().tolist(), draw.uniform(high=2 * np.pi).double().tolist()
    return [
        Texture(PATTERNS[pattern], tuple(map(tuple, pair)), cell, angle)
        for pattern, pair, cell, angle in zip(patterns, colours, cells, angles)
    ]


def lights(drawn: np.ndarray, brightness: float) -> list[Light]:
    """`drawn` are the number, the heights in degrees, and a bearing and a tint for each light; the first casts a shadow."""
    number, heights, others = int(drawn[0]), np.radians(drawn[1 : 1 + MAX_LIGHTS]), drawn[1 + MAX_LIGHTS :]
    made = []
    for height, (bearing, *tint) in zip(heights[:number], others.reshape(MAX_LIGHTS, 4)):
        across, down = np.cos(height), np.sin(height)
        direction = (
            float(across * np.cos(2 * np.pi * bearing)),
            float(across * np.sin(2 * np.pi * bearing)),
            -float(down),
        )
        colour = brightness / number * (0.7 + 0.4 * np.array(tint))
        made.append(Light(direction, tuple(colour.tolist()), not made))
    return made


def check_rows(off: Collection[str]) -> None:
    """Raises CaudexError for rows that there are not."""
    for name in off:
        if name not in ROWS:
            raise CaudexError(
                f"the randomiser has no row {name!r}.{did_you_mean(name, ROWS)} Known: {', '.join(ROWS)}."
            )
