"""A camera on a MuJoCo model that needs no screen, fast on a processor."""

from __future__ import annotations

import atexit
import os
import sys
import weakref

import numpy as np

from caudex.core.errors import CaudexError, short_message

MAX_GEOMS = 2000  # that are rendered


class MuJoCoCamera:
    """Renders models that have the same shapes, one after the other.

    Without shadows (`shadow_size` 0, else the side of the map in pixels) and smooth edges (`samples` a pixel) unless asked: they
    cost more than all the rest where there is no graphics card.
    """

    def __init__(self, model, camera_id: int, height: int, width: int, shadow_size: int = 0, samples: int = 0):
        import mujoco

        self.renderer = self.context = None
        model.vis.quality.shadowsize, model.vis.quality.offsamples = shadow_size, samples
        model.vis.global_.offheight, model.vis.global_.offwidth = height, width
        self.viewport = mujoco.MjrRect(0, 0, width, height)
        self.context = gl_context_class()(width, height)
        atexit.register(
            lambda camera=weakref.ref(self): camera() and camera().close()
        )  # EGL itself ends before objects do
        self.context.make_current()
        self.scene, self.options, self.view = mujoco.MjvScene(model, MAX_GEOMS), mujoco.MjvOption(), mujoco.MjvCamera()
        self.view.type, self.view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, camera_id
        self.renderer = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.renderer)

    def render(self, model, data) -> np.ndarray:
        """uint8 [H, W, 3]."""
        import mujoco

        self.context.make_current()
        all_categories = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(model, data, self.options, None, self.view, all_categories, self.scene)
        mujoco.mjr_render(self.viewport, self.scene, self.renderer)
        pixels = np.empty((self.viewport.height, self.viewport.width, 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, self.viewport, self.renderer)
        return pixels[::-1]  # OpenGL counts rows from below

    def render_geoms(self, model, data) -> np.ndarray:
        """int64 [H, W]: the number of the geom that each pixel shows, -1 for none."""
        import mujoco

        flags = [int(mujoco.mjtRndFlag.mjRND_SEGMENT), int(mujoco.mjtRndFlag.mjRND_IDCOLOR)]
        self.scene.flags[flags] = 1
        colours = self.render(model, data).astype(np.int64)
        self.scene.flags[flags] = 0
        geoms = self.scene.geoms[: self.scene.ngeom]
        numbers = np.full(self.scene.ngeom + 1, -1)  # colour 0 is the background
        numbers[[geom.segid + 1 for geom in geoms]] = [
            geom.objid if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM else -1 for geom in geoms
        ]
        return numbers[colours @ [1, 1 << 8, 1 << 16]]

    def close(self) -> None:
        if self.renderer:
            self.context.make_current()  # what is freed is freed in the context that is current
            self.renderer.free()
        if self.context:
            self.context.free()
        self.renderer = self.context = None

    __del__ = close


def open_camera(
    name: str, model, camera_id: int, height: int, width: int, shadow_size: int = 0, samples: int = 0
) -> MuJoCoCamera:
    """A camera on the model of `name`; CaudexError where there is no OpenGL."""
    try:
        return MuJoCoCamera(model, camera_id, height, width, shadow_size, samples)
    except Exception as error:
        raise CaudexError(
            f"{name} cannot be painted here, there is no OpenGL without a screen ({short_message(error).rstrip('(')}); on "
            "Debian: apt-get install libegl1 libgl1."
        ) from None


def gl_context_class() -> type:
    """mujoco's OpenGL context that needs no screen; MUJOCO_GL chooses another, as osmesa, when mujoco is imported."""
    if sys.platform == "linux" and os.environ.get("MUJOCO_GL") in (None, "", "egl"):
        from mujoco.egl import GLContext
    else:
        from mujoco.gl_context import GLContext
    return GLContext
