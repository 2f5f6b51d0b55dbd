"""The randomiser's table: what is switched off never varies, and each draw is a function of seed and number."""

import numpy as np
import pytest
from pytest import approx

from caudex.core.errors import CaudexError
from caudex.envs.scenes.randomiser import CAMERA_BOX, GAP, ROWS, Randomiser, make_textures
from caudex.envs.scenes.scene import CAMERA, SOLIDS, TABLE_HALF


def test_a_scene_is_a_function_of_the_seed_and_its_number():
    randomiser = Randomiser(seed=3)
    together = randomiser.scenes(range(5, 25))
    assert Randomiser(seed=3).scenes([17]) == together[12:13]
    assert Randomiser(seed=4).scenes([17]) != together[12:13]


@pytest.mark.parametrize("row", [name for name in ROWS if name != "shapes"])
def test_a_row_that_is_switched_off_never_varies_and_leaves_the_others(row):
    on, off = Randomiser().scenes(range(40)), Randomiser(off=(row,)).scenes(range(40))
    assert len({scene.draws[row] for scene in on}) > 1
    assert {scene.draws[row] for scene in off} == {off[0].draws[row]}
    for other in ROWS.keys() - {row, "distractors"}:
        assert [scene.draws[other] for scene in on] == [scene.draws[other] for scene in off]
    assert np.array([scene.label for scene in on]) == approx(np.array([scene.label for scene in off]), abs=2)


def test_with_all_rows_off_nothing_but_the_place_of_the_object_is_seen():
    first, *others = Randomiser(off=tuple(ROWS)).scenes(range(20))
    assert first.camera == CAMERA and first.noise == 0 and len(first.objects) == len(first.lights) == 1
    for scene in others:
        assert (scene.surfaces, scene.camera, scene.lights) == (first.surfaces, first.camera, first.lights)
        assert scene.objects[0].texture == first.objects[0].texture and scene.label != first.label


def test_labels_are_centimetres_in_the_frame_of_the_table_and_fill_it():
    labels = np.array([scene.label for scene in Randomiser(off=("sizes",)).scenes(range(2000))])
    reach = 100 * np.hypot(*SOLIDS["cone"].half_size[:2])
    assert np.abs(labels).max() <= 30 - reach
    assert np.abs(labels).mean(0) == approx((30 - reach) / 2, rel=0.05)


def test_objects_stand_on_the_table_whole_and_apart():
    for scene in Randomiser(seed=1).scenes(range(100)):
        assert len({solid.shape for solid in scene.objects[1:]} & {"cone"}) == 0
        places = np.array([solid.position for solid in scene.objects])
        reaches = np.array([np.hypot(*solid.half_size[:2]) for solid in scene.objects])
        assert (np.abs(places[:, :2]) + reaches[:, None] <= TABLE_HALF + 1e-9).all()
        assert places[:, 2] == approx([solid.half_size[2] for solid in scene.objects])
        distances = np.hypot(*np.moveaxis(places[:, None, :2] - places[:, :2], -1, 0))
        apart = distances - reaches - reaches[:, None] >= GAP - 1e-9
        assert (apart | np.eye(len(places), dtype=bool)).all()


def test_held_out_scenes_lie_outside_of_the_ranges_of_training():
    train, test = Randomiser().scenes(range(200)), Randomiser(held_out=True).scenes(range(200))
    patterns = [{texture.pattern for scene in scenes for texture in scene.surfaces} for scenes in (train, test)]
    assert patterns == [{"flat", "gradient", "checker", "stripes"}, {"dots", "rings"}]
    for row in ("brightness", "noise", "fov", "sizes"):
        inside, outside = ([np.abs(scene.draws[row]) for scene in scenes] for scenes in (train, test))
        assert np.max(inside) <= np.min(outside) or np.max(outside) <= np.min(inside)
    offsets = np.abs([np.array(scene.camera.position) - CAMERA.position for scene in train])
    assert np.linalg.norm(offsets, axis=1).max() <= np.linalg.norm(CAMERA_BOX) + 1e-9
    assert min(np.abs(scene.draws["camera"]).min() for scene in test) >= 1


def test_as_many_textures_as_asked_and_each_by_its_number():
    scenes = Randomiser(num_textures=3).scenes(range(50))
    textures = {solid.texture for scene in scenes for solid in scene.objects} | {t for s in scenes for t in s.surfaces}
    assert len(textures) == 3
    assert make_textures(5, seed=7)[:3] == make_textures(3, seed=7)


def test_names_that_are_not_known_are_refused_with_the_nearest():
    with pytest.raises(CaudexError, match=r"no row 'texture'. Did you mean textures\?"):
        Randomiser(off=("texture",))
    with pytest.raises(CaudexError, match=r"'con' is no shape. Did you mean cone\?"):
        Randomiser(shape="con")
