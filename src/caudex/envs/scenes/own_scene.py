"""A user's own MJCF as the scene: its object, table and camera by name; distractors, textures and lights are ours."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np

from caudex.core.errors import CaudexError, short_message
from caudex.core.registry import did_you_mean
from caudex.envs.scenes.scene import (
    TABLE_HALF,
    Camera,
    SceneObject,
    matrix_quaternion,
    multiply_quaternions,
    rotation_quaternion,
)
from caudex.envs.scenes.stage import (
    DISTRACTORS,
    OBJECT,
    OBJECT_TEXTURE,
    SHADOW_SIZE,
    SURFACE_TEXTURE,
    MuJoCoStage,
    add_material,
    add_randomised,
    import_mujoco,
)

MAX_SURFACES = 8
"""textures of bodies that are not the object; of more bodies some share one"""
SETTLING = 1.0
"""seconds in which an object with a free joint comes to rest"""


class OwnStage(MuJoCoStage):
    """The scene of the MJCF file `path`. The body `object_name` is moved about on the top of the geom `table_name` (a box or a
    plane, whose frame is that of the labels: the origin of the object's body is what they say); `camera_name` "" is the first.

    An object with a free joint is let fall first, at the table's centre and at its corners. Raises CaudexError where the file
    does not load, lacks one of the three, or where the object leaves the table or gets NaN.
    """

    solids = tuple(DISTRACTORS)

    def __init__(
        self,
        path: str | Path,
        object_name: str = "object",
        table_name: str = "table",
        camera_name: str = "",
        size: int = 64,
        shadow_size: int = SHADOW_SIZE,
    ):
        self.path, self.body_name, self.table_name, self.camera_name = Path(path), object_name, table_name, camera_name
        super().__init__(size, shadow_size)
        content = np.zeros(import_mujoco().mj_sizeModel(self.model), np.uint8)  # with its meshes, which are other files
        import_mujoco().mj_saveModel(self.model, None, content)
        self.description |= {"own": sha256(content.tobytes()).hexdigest(), "object": object_name, "table": table_name}

    def compile(self, mujoco):
        if not self.path.is_file():
            raise CaudexError(f"the scene {self.path} is not there; give a file in MuJoCo's format, MJCF.")
        try:
            spec = mujoco.MjSpec.from_file(str(self.path))
            spec.compile()
        except Exception as error:
            raise CaudexError(
                f"the scene {self.path} does not load in MuJoCo ({short_message(error).rstrip('.: ')})."
            ) from None
        body = self.choose(spec.bodies[1:], self.body_name, "body", "object")
        if not body.geoms:
            raise CaudexError(
                f"{self.path}: the object {body.name!r} has no geom, so nothing of it is seen; give it one."
            )
        self.choose(spec.geoms, self.table_name, "geom", "table")
        self.camera_name = self.choose(spec.cameras, self.camera_name, "camera", "camera").name
        add_material(mujoco, spec, OBJECT, OBJECT_TEXTURE)
        for geom in body.geoms:
            geom.material = OBJECT
        others = [other for other in spec.bodies if other.name != body.name and other.geoms]
        self.surface_names = tuple(f"caudex surface {i}" for i in range(min(MAX_SURFACES, max(1, len(others)))))
        for name in self.surface_names:
            add_material(mujoco, spec, name, SURFACE_TEXTURE)
        for i, other in enumerate(others):
            for geom in other.geoms:
                geom.material = self.surface_names[i % len(self.surface_names)]
        add_randomised(mujoco, spec, self.solids)
        return spec.compile()

    def choose(self, elements: Sequence, name: str, kind: str, role: str):
        """The element of that name; of cameras "" is the first. Raises CaudexError where there is none."""
        names = [element.name for element in elements]
        if not names:
            raise CaudexError(f'{self.path} has no {kind}; add <{kind} name="{name or role}" .../>.')
        if not name and role == "camera":
            elements[0].name = elements[0].name or "caudex camera"
            return elements[0]
        if name not in names:
            raise CaudexError(
                f"{self.path} has no {kind} {name!r}.{did_you_mean(name, filter(None, names))} Name the {role} in the file, or say "
                f"which it is (--{role}-name); its {'bodies' if kind == 'body' else kind + 's'}: "
                f"{', '.join(filter(None, names)) or 'none has a name'}."
            )
        return elements[names.index(name)]

    def index_model(self, mujoco) -> None:
        super().index_model(mujoco)
        model, data = self.model, self.data
        joints = model.body_jntnum[self.body_id]
        is_free = joints == 1 and model.jnt_type[model.body_jntadr[self.body_id]] == mujoco.mjtJoint.mjJNT_FREE
        if (joints and not is_free) or model.body_parentid[self.body_id]:
            raise CaudexError(
                f"{self.path}: the object {self.body_name!r} cannot be put where it shall stand; let it be a child of <worldbody> with a "
                "<freejoint/>, or without any joint."
            )
        mujoco.mj_forward(model, data)
        self.address = model.jnt_qposadr[model.body_jntadr[self.body_id]] if is_free else None
        self.measure_frame(mujoco)
        reach = max(
            np.linalg.norm(model.geom_pos[geom]) + model.geom_rbound[geom]
            for geom in np.flatnonzero(model.geom_bodyid == self.body_id)
        )
        if reach >= min(self.half):
            raise CaudexError(
                f"{self.path}: the object {self.body_name!r} is larger than the table {self.table_name!r}."
            )
        self.stance = tuple(map(float, data.xquat[self.body_id]))
        start = self.object_position()
        if is_free:
            self.settle(mujoco, start[2], reach)
        elif start[2] <= 0:
            raise CaudexError(
                f"{self.path}: the object {self.body_name!r} is below the top of the table {self.table_name!r}; raise it."
            )
        else:
            self.body_size = (reach / 2**0.5, reach / 2**0.5, float(start[2]))

    def measure_frame(self, mujoco) -> None:
        """The table's frame and sides, and the camera in it."""
        model, data, table = self.model, self.data, self.model.geom(self.table_name).id
        box, plane = int(mujoco.mjtGeom.mjGEOM_BOX), int(mujoco.mjtGeom.mjGEOM_PLANE)
        if model.geom_type[table] not in (box, plane):
            raise CaudexError(f"{self.path}: the table {self.table_name!r} must be a box or a plane; name such a geom.")
        x, y, z = model.geom_size[table]
        self.axes = data.geom_xmat[table].reshape(3, 3).copy()
        self.turn = matrix_quaternion(self.axes)
        self.origin = data.geom_xpos[table] + self.axes[:, 2] * (z if model.geom_type[table] == box else 0)
        self.half = (float(x) or TABLE_HALF, float(y) or TABLE_HALF)
        camera = self.camera_id
        rotation = self.axes.T @ data.cam_xmat[camera].reshape(3, 3)
        position = self.axes.T @ (data.cam_xpos[camera] - self.origin)
        fovy = float(model.cam_fovy[camera])
        self.camera = Camera(tuple(map(float, position)), matrix_quaternion(rotation), fovy)
        model.cam_mode[camera] = mujoco.mjtCamLight.mjCAMLIGHT_FIXED
        model.cam_bodyid[camera] = 0

    def settle(self, mujoco, height: float, reach: float) -> None:
        """Let the object come to rest at the corners and the centre of the table; it shall stand as it does at the centre."""
        x, y = np.array(self.half) - reach
        for place in ((x, y), (-x, y), (x, -y), (-x, -y), (0.0, 0.0)):
            mujoco.mj_resetData(self.model, self.data)
            self.move((*place, height), self.stance)
            for _ in range(max(1, int(SETTLING / self.model.opt.timestep))):
                mujoco.mj_step(self.model, self.data)
                bad = (
                    mujoco.mjtWarning.mjWARN_BADQPOS,
                    mujoco.mjtWarning.mjWARN_BADQVEL,
                    mujoco.mjtWarning.mjWARN_BADQACC,
                )
                if any(self.data.warning[int(kind)].number for kind in bad):  # MuJoCo begins anew after these
                    raise CaudexError(
                        f"{self.path}: the simulation gets NaN, infinite or huge within {SETTLING:g} s; try a smaller <option "
                        "timestep>, or mend bodies that overlap."
                    )
            if not self.object_on_table():
                x, y = (100 * place[0], 100 * place[1])
                raise CaudexError(
                    f"{self.path}: the object {self.body_name!r}, put {height * 100:.1f} cm above the table at ({x:.1f}, {y:.1f}) cm, "
                    f"leaves it within {SETTLING:g} s; let it begin just above the geom {self.table_name!r}, and both collide."
                )
        self.stance = tuple(map(float, self.data.xquat[self.body_id]))
        self.body_size = (reach / 2**0.5, reach / 2**0.5, float(self.object_position()[2]))
        mujoco.mj_resetData(self.model, self.data)

    def place(self, target: SceneObject) -> None:
        yaw = multiply_quaternions(self.turn, rotation_quaternion((0, 0, target.yaw)))
        upright = multiply_quaternions(conjugate(self.turn), self.stance)
        self.move(target.position, multiply_quaternions(yaw, upright))
        self.paint(OBJECT, target.texture)

    def move(self, position: Sequence[float], quaternion: Sequence[float]) -> None:
        """The object's pose: its place in the table's frame, its orientation in the world's."""
        place = self.origin + self.axes @ np.array(position)
        if self.address is None:
            self.model.body_pos[self.body_id], self.model.body_quat[self.body_id] = place, quaternion
        else:
            self.data.qpos[self.address : self.address + 7] = (*place, *quaternion)


def conjugate(quaternion: Sequence[float]) -> tuple[float, float, float, float]:
    w, x, y, z = quaternion
    return w, -x, -y, -z
