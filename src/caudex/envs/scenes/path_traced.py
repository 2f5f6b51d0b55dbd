"""Proxy reality: the scenes of a MuJoCo stage, path-traced by Mitsuba 3. The geometry is the same; how it looks is not.

It stands in for a real camera, and is none: what is measured on it says what another renderer, other materials, other lights and
a sensor cost.
"""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.scenes.proxy_looks import LOOKS, ProxyLook, develop
from caudex.envs.scenes.scene import Scene
from caudex.envs.scenes.stage import VISIBLE, MuJoCoStage, import_mujoco, mesh_rows

SAMPLES = 64
"""rays a pixel"""
MAX_DEPTH = 8
"""of a path of light; glass takes four"""
BLOCK = 32  # pixels that one thread renders; Mitsuba's default follows the number of threads, and so would the images
INFINITE = 20.0  # metres: half of a plane's side that MuJoCo has as infinite
ROUND_POINTS = 1000  # of the mesh of an ellipsoid


class PathTracedStage:
    """Shows scenes as the MuJoCo stage does, with looks of its own: a function of the scene's `noise_seed`.

    Raises CaudexError where the model has a geom of a kind that it does not know, by name.
    """

    def __init__(self, stage: MuJoCoStage, samples: int = SAMPLES):
        self.mitsuba, self.stage, self.samples, self.size = import_mitsuba(), stage, samples, stage.size
        tracer = {"mitsuba": self.mitsuba.__version__, "samples": samples, "looks": LOOKS}
        self.description = stage.description | {"path tracer": tracer}
        kinds = import_mujoco().mjtGeom
        self.makers = {
            int(kinds.mjGEOM_PLANE): self.plane,
            int(kinds.mjGEOM_BOX): self.box,
            int(kinds.mjGEOM_SPHERE): self.sphere,
            int(kinds.mjGEOM_ELLIPSOID): self.ellipsoid,
            int(kinds.mjGEOM_CYLINDER): self.cylinder,
            int(kinds.mjGEOM_CAPSULE): self.capsule,
            int(kinds.mjGEOM_MESH): self.mesh,
        }
        self.check_model()

    def check_model(self) -> None:
        model, kinds = self.stage.model, ", ".join(maker.__name__ for maker in self.makers.values())
        names = {int(value): name for name, value in import_mujoco().mjtGeom.__members__.items()}
        for geom in visible_geoms(model):
            if (kind := int(model.geom_type[geom])) not in self.makers:
                name, what = model.geom(geom).name or geom, names[kind].removeprefix("mjGEOM_").lower()
                raise CaudexError(
                    f"the geom {name!r} is a {what}, which the path tracer does not know; make it one of {kinds}, or hide it (group 3)."
                )
        if model.nflex or model.nskin:
            what = f"flex {model.flex(0).name!r}" if model.nflex else f"skin {model.skin(0).name!r}"
            raise CaudexError(f"the scene has the {what}, which the path tracer does not know; leave it out.")

    # -- as a MuJoCo stage ---------------------------------------------------------------------------------------------

    def show(self, scene: Scene) -> None:
        """Build this scene in Mitsuba."""
        self.stage.show(scene)
        stage, model = self.stage, self.stage.model
        self.look = ProxyLook(self.mitsuba, np.random.Generator(np.random.PCG64(scene.noise_seed)))
        parts = {"type": "scene", "integrator": self.integrator(), "sensor": self.sensor()}
        distance = float(np.linalg.norm(stage.data.cam_xpos[stage.camera_id] - stage.origin))
        frame = pose(self.mitsuba, stage.origin, stage.axes)
        parts |= self.look.lights(frame, distance, max(stage.half)) | {"environment": self.look.environment(frame)}
        materials = {}
        for geom in visible_geoms(model):
            body = int(model.geom_bodyid[geom])
            if body == 0 or body not in materials:  # the table and the floor are geoms of the world's body
                role = "object" if self.is_object(geom) else "distractor" if self.is_distractor(geom) else "surface"
                materials[body] = self.look.material(role)
            for i, shape in enumerate(self.makers[int(model.geom_type[geom])](geom, materials[body])):
                parts[f"geom_{geom}_{i}"] = shape
        # either way of loading faster puts the lamps into another order each time, and the rays fall otherwise
        self.mitsuba_scene = self.mitsuba.load_dict(parts, parallel=False, optimize=False)

    def render(self) -> np.ndarray:
        """uint8 [3, size, size]: what the look's sensor makes of the light."""
        radiance = np.array(self.mitsuba.render(self.mitsuba_scene, spp=self.samples, seed=self.look.seed))
        return develop(radiance[..., :3], self.look.camera_settings(), self.look.random).transpose(2, 0, 1)

    def object_mask(self) -> np.ndarray:
        """bool [size, size]: the pixels whose centre shows the object of interest."""
        camera, side = self.mitsuba_scene.sensors()[0], self.size
        object_names = {f"geom_{geom}" for geom in visible_geoms(self.stage.model) if self.is_object(geom)}
        mask = np.zeros((side, side), bool)
        for row, column in np.ndindex(side, side):
            ray, _ = camera.sample_ray(0, 0.5, [(column + 0.5) / side, (row + 0.5) / side], [0.5, 0.5])
            hit = self.mitsuba_scene.ray_intersect(ray)
            mask[row, column] = hit.is_valid() and hit.shape.id().rpartition("_")[0] in object_names
        return mask

    def close(self) -> None:
        self.stage.close()

    # -- the bridge ------------------------------------------------------------------------------------------------------

    def is_object(self, geom: int) -> bool:
        model = self.stage.model
        return bool(model.body_rootid[model.geom_bodyid[geom]] == self.stage.body_id)

    def is_distractor(self, geom: int) -> bool:
        return self.stage.model.geom(geom).name in self.stage.solids

    def integrator(self) -> dict:
        return {"type": "path", "max_depth": MAX_DEPTH, "block_size": BLOCK}

    def sensor(self) -> dict:
        """MuJoCo's camera looks along its -z with x to the right, Mitsuba's along its z with x to the left; MuJoCo's field of view
        is the vertical one."""
        data, camera, side = self.stage.data, self.stage.camera_id, self.size
        axes = data.cam_xmat[camera].reshape(3, 3) * (-1, 1, -1)
        film = {"type": "hdrfilm", "width": side, "height": side, "pixel_format": "rgb", "rfilter": {"type": "box"}}
        return {
            "type": "perspective",
            "fov_axis": "y",
            "fov": float(self.stage.model.cam_fovy[camera]),
            "near_clip": 1e-3,
            "to_world": pose(self.mitsuba, data.cam_xpos[camera], axes),
            "film": film,
            "sampler": {"type": "independent", "sample_count": self.samples},
        }

    def place(self, geom: int):
        data = self.stage.data
        return pose(self.mitsuba, data.geom_xpos[geom], data.geom_xmat[geom].reshape(3, 3))

    def half_size(self, geom: int) -> list[float]:
        return self.stage.model.geom_size[geom].tolist()

    def plane(self, geom: int, bsdf) -> list:
        x, y, _ = self.half_size(geom)
        to_world = self.place(geom).scale([x or INFINITE, y or INFINITE, 1])
        return [{"type": "rectangle", "to_world": to_world, "bsdf": bsdf}]

    def box(self, geom: int, bsdf) -> list:
        return [{"type": "cube", "to_world": self.place(geom).scale(self.half_size(geom)), "bsdf": bsdf}]

    def sphere(self, geom: int, bsdf, height: float = 0.0) -> list:
        to_world = self.place(geom).translate([0, 0, height]).scale(self.half_size(geom)[0])
        return [{"type": "sphere", "to_world": to_world, "bsdf": bsdf}]

    def ellipsoid(self, geom: int, bsdf) -> list:
        """Mitsuba's sphere cannot be stretched: a mesh, unless all three radii are equal."""
        x, y, z = radii = self.half_size(geom)
        if x == y == z:
            return self.sphere(geom, bsdf)
        points, faces = round_mesh()
        return [self.triangles(geom, points * radii, faces, bsdf)]

    def cylinder(self, geom: int, bsdf) -> list:
        """Mitsuba's has no lids."""
        radius, height, _ = self.half_size(geom)
        shapes = [self.tube(geom, bsdf)]
        for turn in (0, 180):
            lid = self.place(geom).rotate([1, 0, 0], turn).translate([0, 0, height]).scale([radius, radius, 1])
            shapes.append({"type": "disk", "to_world": lid, "bsdf": bsdf})
        return shapes

    def capsule(self, geom: int, bsdf) -> list:
        height = self.half_size(geom)[1]
        return [self.tube(geom, bsdf), *self.sphere(geom, bsdf, height), *self.sphere(geom, bsdf, -height)]

    def tube(self, geom: int, bsdf) -> dict:
        radius, height, _ = self.half_size(geom)
        ends = {"p0": [0, 0, -height], "p1": [0, 0, height], "radius": radius}
        return {"type": "cylinder", "to_world": self.place(geom), "bsdf": bsdf} | ends

    def mesh(self, geom: int, bsdf) -> list:
        model, mesh = self.stage.model, int(self.stage.model.geom_dataid[geom])
        start, count = model.mesh_faceadr[mesh], model.mesh_facenum[mesh]
        return [self.triangles(geom, mesh_rows(model, mesh, "vert"), model.mesh_face[start : start + count], bsdf)]

    def triangles(self, geom: int, points: np.ndarray, faces: np.ndarray, bsdf):
        """A mesh of flat triangles from points [V, 3] in the geom's frame; its texture is seen from above, as MuJoCo's."""
        properties = self.mitsuba.Properties()
        properties["mesh_bsdf"], properties["face_normals"] = bsdf, True
        made = self.mitsuba.Mesh(f"geom_{geom}_0", len(points), len(faces), has_vertex_texcoords=True, props=properties)
        data = self.stage.data
        corners = points @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
        low, high = points.min(0), points.max(0)
        texture = ((points - low) / np.maximum(high - low, 1e-9))[:, :2]
        parameters = self.mitsuba.traverse(made)
        parameters["vertex_positions"] = corners.astype(np.float32).ravel()
        parameters["vertex_texcoords"] = texture.astype(np.float32).ravel()
        parameters["faces"] = np.ascontiguousarray(faces, np.uint32).ravel()
        parameters.update()
        return made


def visible_geoms(model) -> list[int]:
    """Those that MuJoCo renders: of the groups 0 to 2, and not wholly transparent."""
    opacity = np.where(model.geom_matid < 0, model.geom_rgba[:, 3], model.mat_rgba[model.geom_matid, 3])
    is_visible = (model.geom_group >= VISIBLE) & (model.geom_group < 3) & (opacity > 0)
    return np.flatnonzero(is_visible).tolist()


def pose(mitsuba, position: np.ndarray, axes: np.ndarray):
    """The transform of a frame with its origin at `position` and these axes as columns."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes, position
    return mitsuba.ScalarTransform4f(matrix.tolist())


def round_mesh() -> tuple[np.ndarray, np.ndarray]:
    """Points [V, 3] spread evenly over the unit sphere, and the triangles [F, 3] of their hull, seen from outside counter-clockwise."""
    from scipy.spatial import ConvexHull

    steps = np.arange(ROUND_POINTS) + 0.5
    heights, angles = 1 - 2 * steps / ROUND_POINTS, np.pi * (1 + 5**0.5) * steps
    across = np.sqrt(1 - heights**2)
    points = np.stack([across * np.cos(angles), across * np.sin(angles), heights], 1)
    faces = ConvexHull(points).simplices
    a, b, c = np.moveaxis(points[faces], 1, 0)
    inward = np.einsum("fi,fi->f", np.cross(b - a, c - a), a) < 0
    faces[inward] = faces[inward][:, ::-1]
    return points, faces


def import_mitsuba():
    try:
        import mitsuba
    except ImportError:
        raise CaudexError("path tracing needs the package mitsuba: pip install 'caudex[render]'.") from None
    mitsuba.set_variant("scalar_rgb")
    mitsuba.set_log_level(mitsuba.LogLevel.Error)
    return mitsuba
