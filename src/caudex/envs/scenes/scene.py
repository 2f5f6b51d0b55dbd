"""What one image of a table-top shows: everything that a renderer must know, in one typed description.

The table's frame: the origin is the centre of its top, x runs to the right, y away from the camera, z up; metres.
"""

from __future__ import annotations

from functools import cached_property
from math import radians, tan
from typing import Annotated, Literal, NamedTuple

import numpy as np
from msgspec import Meta, Struct

from caudex.core.typed_json import Count, Finite, Share

PATTERNS = ("flat", "gradient", "checker", "stripes", "dots", "rings")
BODY = "body"
"""the shape of an object that a user's own model brings"""
Vector = tuple[Finite, Finite, Finite]
Colour = tuple[Share, Share, Share]
TABLE_HALF = 0.30
"""half of the table's side"""
FLOOR_DEPTH = 0.60
"""of the floor below the table's top"""


class Solid(NamedTuple):
    """A shape: its standard half size, and the corners of its unit form in [-1, 1], [V, 3]; None for a primitive."""

    half_size: tuple[float, float, float]
    corners: np.ndarray | None = None


def ring(count: int, height: float) -> np.ndarray:
    angles = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles), np.full(count, height)], 1)


APEX = np.array([[0.0, 0.0, 1.0]])
SQUARE = np.array([[-1.0, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1]])
ROOF = np.array([[-1.0, 0, 1], [1, 0, 1]])
SOLIDS = {
    "cube": Solid((0.035, 0.035, 0.035)),
    "bar": Solid((0.060, 0.025, 0.025)),
    "sphere": Solid((0.040, 0.040, 0.040)),
    "cylinder": Solid((0.035, 0.035, 0.050)),
    "cone": Solid((0.042, 0.042, 0.060), np.concatenate([ring(24, -1), APEX])),
    "pyramid": Solid((0.042, 0.042, 0.045), np.concatenate([SQUARE, APEX])),
    "wedge": Solid((0.045, 0.035, 0.035), np.concatenate([SQUARE, ROOF])),
    "hexagon": Solid((0.045, 0.045, 0.025), np.concatenate([ring(6, -1), ring(6, 1)])),
}
"""the eight shapes; all stand on their base and are convex: a renderer takes the convex hull of the corners"""


class Texture(Struct, frozen=True):
    """A procedural pattern in two colours: `cells` across the surface, turned by `angle`, radians. `flat` has the first alone."""

    pattern: Literal[PATTERNS]
    colours: tuple[Colour, Colour]
    cells: Annotated[float, Meta(ge=0.1, le=64)] = 4.0
    angle: Finite = 0.0

    def pixels(self, side: int) -> np.ndarray:
        """uint8 [side, side, 3]"""
        first, second = (np.round(255 * np.array(colour)) for colour in self.colours)
        if self.pattern == "flat":
            return np.broadcast_to(first.astype(np.uint8), (side, side, 3))
        v, u = np.mgrid[:side, :side] / side - 0.5
        x, y = (
            self.cells * (u * np.cos(self.angle) + v * np.sin(self.angle)),
            self.cells * (v * np.cos(self.angle) - u * np.sin(self.angle)),
        )
        mix = {
            "gradient": lambda: np.clip(x / self.cells + 0.5, 0, 1),
            "checker": lambda: (np.floor(x) + np.floor(y)) % 2,
            "stripes": lambda: np.floor(x) % 2,
            "dots": lambda: np.hypot(x % 1 - 0.5, y % 1 - 0.5) < 0.3,
            "rings": lambda: np.floor(np.hypot(x, y)) % 2,
        }[self.pattern]()
        return (first + mix[..., None] * (second - first)).astype(np.uint8)


class SceneObject(Struct, frozen=True):
    """A solid with its centre at `position`, turned about the vertical by `yaw`, radians."""

    shape: Literal[(*SOLIDS, BODY)]
    half_size: Vector
    position: Vector
    yaw: Finite
    texture: Texture


class Camera(Struct, frozen=True, dict=True):
    """A pinhole camera: it looks along its own -z, its x is to the right and its y up in the image. `quaternion` is w, x, y, z;
    `fovy` the vertical field of view in degrees."""

    position: Vector
    quaternion: tuple[Finite, Finite, Finite, Finite]
    fovy: Annotated[float, Meta(ge=1, le=170)]

    @cached_property
    def rotation(self) -> np.ndarray:
        """[3, 3]: its columns are the camera's axes in the table's frame."""
        return quaternion_matrix(self.quaternion)

    def project(self, points: np.ndarray, height: int, width: int) -> np.ndarray:
        """Pixels [..., 2], from the left and from the top, of points [..., 3] in the table's frame."""
        x, y, z = np.moveaxis((np.asarray(points) - self.position) @ self.rotation, -1, 0)
        focal = height / 2 / tan(radians(self.fovy) / 2)
        return np.stack([width / 2 - focal * x / z, height / 2 + focal * y / z], -1)


class Light(Struct, frozen=True):
    """A light as far away as the sun: it shines along `direction`."""

    direction: Vector
    colour: tuple[Finite, Finite, Finite]
    casts_shadow: bool


class Scene(Struct, frozen=True):
    """One image. The first of `objects` is sought, the others distract. `surfaces` are the textures of the table and the floor (of
    a user's model: of its bodies); `noise` is the standard deviation of the sensor's noise, of pixels in [0, 1], drawn from
    `noise_seed`. `draws` is the log: what each row of the randomiser drew."""

    objects: tuple[SceneObject, ...]
    surfaces: tuple[Texture, ...]
    camera: Camera
    lights: tuple[Light, ...]
    ambient: Colour
    noise: Share = 0.0
    noise_seed: Count = 0
    draws: dict[str, tuple[float, ...]] = {}

    @property
    def label(self) -> tuple[float, float]:
        """Where the object of interest stands: x and y of its centre, cm."""
        x, y, _ = self.objects[0].position
        return 100 * x, 100 * y


def quaternion_matrix(quaternion) -> np.ndarray:
    """[3, 3] of w, x, y, z."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def multiply_quaternions(first, second) -> tuple[float, float, float, float]:
    """The rotation `second`, then `first`."""
    a, b, c, d = map(float, first)
    w, x, y, z = map(float, second)
    return (
        a * w - b * x - c * y - d * z,
        a * x + b * w + c * z - d * y,
        a * y - b * z + c * w + d * x,
        a * z + b * y - c * x + d * w,
    )


def rotation_quaternion(vector) -> tuple[float, float, float, float]:
    """The rotation about `vector` by its length, radians."""
    angle = float(np.linalg.norm(vector))
    x, y, z = np.asarray(vector, float) * (np.sin(angle / 2) / angle if angle else 0.5)
    return float(np.cos(angle / 2)), float(x), float(y), float(z)


def matrix_quaternion(matrix: np.ndarray) -> tuple[float, float, float, float]:
    """w, x, y, z of a rotation [3, 3]."""
    from scipy.spatial.transform import Rotation

    x, y, z, w = map(float, Rotation.from_matrix(matrix).as_quat())
    return w, x, y, z


PITCH = radians(35)  # of the standard camera from the vertical
DISTANCE = 1.2
CAMERA = Camera(
    (0.0, float(-DISTANCE * np.sin(PITCH)), float(DISTANCE * np.cos(PITCH))), rotation_quaternion((PITCH, 0, 0)), 40.0
)
"""the standard one: it looks at the centre of the table from 1.2 m, 35 degrees from the vertical"""
