"""The stage: one compiled MuJoCo model of a table-top, edited in place to show one scene after the other."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from caudex.core.errors import CaudexError, short_message
from caudex.envs.mujoco_camera import open_camera
from caudex.envs.scenes.randomiser import MAX_DISTRACTORS, MAX_LIGHTS, Randomiser
from caudex.envs.scenes.scene import (
    CAMERA,
    FLOOR_DEPTH,
    SOLIDS,
    TABLE_HALF,
    Camera,
    Scene,
    SceneObject,
    Texture,
    multiply_quaternions,
    quaternion_matrix,
    rotation_quaternion,
)

SHADOW_SIZE = 512
"""side of the shadow map in pixels; MuJoCo's own default is 4096, with four samples a pixel"""
OBJECT_TEXTURE, SURFACE_TEXTURE = 32, 64  # sides in pixels
FLOOR_HALF = 4.0  # metres
FAR_LIGHT = 2.0  # metres from which lights shine; only shadows know
VISIBLE, HIDDEN = 0, 5  # groups of geoms
DISTRACTORS = [f"caudex distractor {i}" for i in range(MAX_DISTRACTORS)]
LIGHTS = [f"caudex light {i}" for i in range(MAX_LIGHTS)]
OBJECT = "caudex object"
MAX_CACHED = 8000  # textures whose pixels are remembered: at most 100 MB


class MuJoCoStage:
    """Shows scenes by MuJoCo, and answers what stands where, in the table's frame.

    `shadow_size` 0 leaves shadows out. Compiled once: places, sizes, textures, lights and the camera are edited in the model,
    and textures and meshes uploaded again, which is faster than to compile a model for each image (benchmarks/scenes.py).
    """

    surface_names: tuple[str, ...] = ("caudex table", "caudex floor")
    camera_name = "caudex camera"
    body_name = OBJECT
    solids = (OBJECT, *DISTRACTORS)
    """bodies that take any shape"""
    origin, axes, turn = np.zeros(3), np.eye(3), (1.0, 0.0, 0.0, 0.0)
    """the table's frame in MuJoCo's world: its origin, its axes as columns, and these as a quaternion"""
    half = (TABLE_HALF, TABLE_HALF)
    camera = CAMERA
    body_size: tuple[float, float, float] | None = None
    """of a user's object: half its width and depth, and the height of its centre"""

    def __init__(self, size: int = 64, shadow_size: int = SHADOW_SIZE, samples: int = 0):
        mujoco = import_mujoco()
        self.size, self.pixels_of = size, {}
        self.description: dict[str, object] = {"size": size, "shadow_size": shadow_size, "samples": samples}
        self.model = self.compile(mujoco)
        self.data = mujoco.MjData(self.model)
        self.index_model(mujoco)
        self.eye = open_camera("the scene", self.model, self.camera_id, size, size, shadow_size, samples)

    def compile(self, mujoco):
        """The model with everything that any scene may show."""
        spec = mujoco.MjSpec()
        for name, half, top in zip(self.surface_names, (TABLE_HALF, FLOOR_HALF), (0.0, -FLOOR_DEPTH)):
            add_material(mujoco, spec, name, SURFACE_TEXTURE)
            box = mujoco.mjtGeom.mjGEOM_BOX
            spec.worldbody.add_geom(name=name, type=box, size=[half, half, 0.02], pos=[0, 0, top - 0.02], material=name)
        spec.worldbody.add_camera(name=self.camera_name)
        add_randomised(mujoco, spec, self.solids)
        return spec.compile()

    def index_model(self, mujoco) -> None:
        model = self.model
        self.camera_id, self.body_id = model.camera(self.camera_name).id, model.body(self.body_name).id
        self.light_ids = [model.light(name).id for name in LIGHTS]
        self.texture_ids = {name: model.texture(name).id for name in {*self.surface_names, *self.solids, OBJECT}}
        self.solid_ids = {name: (model.geom(name).id, model.body(name).id) for name in self.solids}
        self.unit_meshes: dict[str, dict] = defaultdict(dict)
        for mesh in range(model.nmesh):
            name, _, shape = model.mesh(mesh).name.partition(": ")
            if name in self.solids:  # as it was given, before MuJoCo moved it to its centre of mass
                rotation = quaternion_matrix(model.mesh_quat[mesh])
                corners = mesh_rows(model, mesh, "vert") @ rotation.T + model.mesh_pos[mesh]
                self.unit_meshes[name][shape] = mesh, corners, mesh_rows(model, mesh, "normal") @ rotation.T

    # -- showing a scene -----------------------------------------------------------------------------------------

    def show(self, scene: Scene) -> None:
        """Edit the model into this scene."""
        import mujoco

        self.eye.context.make_current()
        model, (target, *others) = self.model, scene.objects
        self.place(target)
        for i, name in enumerate(DISTRACTORS):
            model.geom_group[self.solid_ids[name][0]] = VISIBLE if i < len(others) else HIDDEN
            if i < len(others):
                self.place_solid(name, others[i])
        for name, texture in zip(self.surface_names, scene.surfaces, strict=True):
            self.paint(name, texture)
        self.aim(scene.camera)
        model.light_active[:] = 0
        for i, light in zip(self.light_ids, scene.lights):
            model.light_active[i], model.light_castshadow[i] = True, light.casts_shadow
            model.light_dir[i] = self.axes @ np.array(light.direction)
            model.light_pos[i] = self.origin - FAR_LIGHT * model.light_dir[i]
            model.light_diffuse[i] = light.colour
        model.vis.headlight.ambient[:] = scene.ambient
        mujoco.mj_kinematics(model, self.data)
        mujoco.mj_comPos(model, self.data)
        mujoco.mj_camlight(model, self.data)
        self.scene = scene

    def place(self, target: SceneObject) -> None:
        """The object of interest."""
        self.place_solid(OBJECT, target)

    def place_solid(self, name: str, solid: SceneObject) -> None:
        import mujoco

        model, (geom, body), (x, y, z) = self.model, self.solid_ids[name], solid.half_size
        model.body_pos[body] = self.origin + self.axes @ np.array(solid.position)
        model.body_quat[body] = multiply_quaternions(self.turn, rotation_quaternion((0, 0, solid.yaw)))
        model.geom_size[geom] = (x, z, 0) if solid.shape == "cylinder" else (x, y, z)  # of meshes, textures want it
        if SOLIDS[solid.shape].corners is None:
            kinds = mujoco.mjtGeom
            kind = {"sphere": kinds.mjGEOM_ELLIPSOID, "cylinder": kinds.mjGEOM_CYLINDER}.get(
                solid.shape, kinds.mjGEOM_BOX
            )
            model.geom_type[geom], model.geom_dataid[geom] = kind, -1
        else:
            mesh, unit_corners, unit_normals = self.unit_meshes[name][solid.shape]
            model.geom_type[geom], model.geom_dataid[geom] = mujoco.mjtGeom.mjGEOM_MESH, mesh
            mesh_rows(model, mesh, "vert")[:] = unit_corners * (x, y, z)
            normals = unit_normals / (x, y, z)
            mesh_rows(model, mesh, "normal")[:] = normals / np.sqrt((normals**2).sum(1, keepdims=True))
            mujoco.mjr_uploadMesh(model, self.eye.renderer, mesh)
        self.paint(name, solid.texture)

    def paint(self, name: str, texture: Texture) -> None:
        """Write the texture into the model and upload it."""
        import mujoco

        model, number = self.model, self.texture_ids[name]
        side, start = int(model.tex_width[number]), model.tex_adr[number]
        if (texture, side) not in self.pixels_of:
            if len(self.pixels_of) == MAX_CACHED:
                self.pixels_of.clear()
            self.pixels_of[texture, side] = texture.pixels(side).ravel()
        model.tex_data[start : start + 3 * side * side] = self.pixels_of[texture, side]
        mujoco.mjr_uploadTexture(model, self.eye.renderer, number)

    def randomiser(self, **settings) -> Randomiser:
        """One for this stage: it knows its table, camera and surfaces."""
        surfaces = len(self.surface_names)
        return Randomiser(surfaces=surfaces, camera=self.camera, half=self.half, body=self.body_size, **settings)

    def aim(self, camera: Camera) -> None:
        model, i = self.model, self.camera_id
        model.cam_pos[i] = self.origin + self.axes @ np.array(camera.position)
        model.cam_quat[i] = multiply_quaternions(self.turn, camera.quaternion)
        model.cam_fovy[i] = camera.fovy

    def render(self) -> np.ndarray:
        """uint8 [3, size, size] of the scene, with the sensor's noise."""
        return add_sensor_noise(self.eye.render(self.model, self.data), self.scene).transpose(2, 0, 1)

    # -- queries ---------------------------------------------------------------------------------------------------

    def object_position(self) -> np.ndarray:
        """[3], metres: the object of interest."""
        return self.axes.T @ (self.data.xpos[self.body_id] - self.origin)

    def object_on_table(self) -> bool:
        """Whether the object is above the table's top."""
        x, y, z = self.object_position()
        return bool(abs(x) <= self.half[0] and abs(y) <= self.half[1] and z > 0)

    def object_mask(self) -> np.ndarray:
        """bool [size, size]: the pixels that show the object of interest."""
        geoms = self.eye.render_geoms(self.model, self.data)
        return np.isin(geoms, np.flatnonzero(self.model.body_rootid[self.model.geom_bodyid] == self.body_id))

    def close(self) -> None:
        self.eye.close()


def add_sensor_noise(pixels: np.ndarray, scene: Scene) -> np.ndarray:
    """uint8, as `pixels`: with the sensor's noise of the scene."""
    if not scene.noise:
        return pixels
    noisy = np.random.Generator(np.random.PCG64(scene.noise_seed)).standard_normal(pixels.shape, np.float32)
    noisy *= 255 * scene.noise
    noisy += pixels
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)


def import_mujoco():
    try:
        import mujoco
    except ImportError:
        raise CaudexError("scenes need the package mujoco: pip install 'caudex[control]'.") from None
    except RuntimeError as error:  # of mujoco, for a MUJOCO_GL that it does not know
        raise CaudexError(f"scenes cannot be rendered: {short_message(error)}.") from None
    mujoco.set_mju_user_warning(lambda text: None)  # on the screen and in a file
    return mujoco


def add_randomised(mujoco, spec, solids) -> None:
    """What every stage has: solids, and lights."""
    for name in solids:
        add_solid(mujoco, spec, name)
    for name in LIGHTS:
        spec.worldbody.add_light(name=name, type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, specular=[0.3, 0.3, 0.3])
    spec.visual.headlight.diffuse, spec.visual.headlight.specular = [0, 0, 0], [0, 0, 0]


def add_solid(mujoco, spec, name: str) -> None:
    """A body that can take each shape, with a mesh of its own for those that are no primitives."""
    add_material(mujoco, spec, name, OBJECT_TEXTURE)
    for shape, solid in SOLIDS.items():
        if solid.corners is not None:
            spec.add_mesh(name=f"{name}: {shape}", uservert=solid.corners.astype(np.float32).ravel())
    body = spec.worldbody.add_body(name=name)
    box = mujoco.mjtGeom.mjGEOM_BOX
    body.add_geom(name=name, type=box, size=[0.01, 0.01, 0.01], material=name, contype=0, conaffinity=0)


def add_material(mujoco, spec, name: str, side: int) -> None:
    """A material with a texture of its own, of the same name, seen from above: a cube's six sides take four times as long to
    upload."""
    plane = mujoco.mjtTexture.mjTEXTURE_2D
    spec.add_texture(name=name, type=plane, builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT, width=side, height=side)
    material = spec.add_material(name=name, specular=0.3, shininess=0.3, reflectance=0)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def mesh_rows(model, mesh: int, kind: str) -> np.ndarray:
    """The model's own vertices ("vert") or normals of a mesh, [V, 3]."""
    start, count = getattr(model, f"mesh_{kind}adr")[mesh], getattr(model, f"mesh_{kind}num")[mesh]
    return getattr(model, f"mesh_{kind}")[start : start + count]
