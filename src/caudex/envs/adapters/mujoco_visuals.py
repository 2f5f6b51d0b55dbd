"""How Gymnasium's MuJoCo bodies are rendered."""

from __future__ import annotations


def improve_visuals(body) -> None:
    """Gymnasium's own bodies run out of the image (its release 1.4 leaves the camera behind) and are hard to see on a floor of
    black and white: the camera follows, on a pale floor under a white sky. Others' environments are left as they are."""
    if not type(body).__module__.startswith("gymnasium.envs.mujoco"):
        return
    import mujoco

    model = body.model
    if (camera := mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, "track")) >= 0:
        body.mujoco_renderer.camera_id = camera
    floors = {int(i) for i in model.geom_matid[model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE] if i >= 0}
    pale = {int(i) for floor in floors for i in model.mat_texid[floor] if i >= 0}
    for floor in floors:
        model.mat_reflectance[floor] = 0
    for texture, kind in enumerate(model.tex_type):
        size = model.tex_height[texture] * model.tex_width[texture] * model.tex_nchannel[texture]
        colours = model.tex_data[model.tex_adr[texture] :][:size]
        if kind == mujoco.mjtTexture.mjTEXTURE_SKYBOX:
            colours[:] = 255
        elif texture in pale:
            colours[:] = 200 + colours // 5
