"""Marks stand where they should."""

import torch
from helpers.trainings import quiet_run
from pytest import approx

from caudex.envs.scenes.randomiser import ROWS, Randomiser
from caudex.evaluation.plots import located_objects
from caudex.experience.rendered import RenderedImages


def test_the_marks_are_on_the_object_and_on_what_was_predicted(tmp_path, monkeypatch):
    (scene,) = Randomiser(off=tuple(ROWS)).scenes([0])
    plots = []
    monkeypatch.setattr(located_objects, "plot_image_tiles", lambda *arguments: plots.append(arguments))
    test = RenderedImages(
        torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.tensor([scene.label], dtype=torch.float64)
    )
    located_objects.plot_located(
        quiet_run(tmp_path), "held-out looks", test, test.positions + torch.tensor([6.0, 0.0]), [scene]
    )
    ((_, name, (image,), _, captions),) = plots
    assert name == "predictions-held-out-looks" and captions == ["6.0 cm"] and image.shape == (3, 192, 192)
    for colour, x in ((located_objects.TRUE, scene.label[0]), (located_objects.PREDICTED, scene.label[0] + 6)):
        pixels = (image == torch.tensor(colour, dtype=torch.uint8)[:, None, None]).all(0).nonzero().double()
        column, row = scene.camera.project([x / 100, scene.label[1] / 100, scene.objects[0].position[2]], 192, 192)
        assert pixels.mean(0).tolist() == approx([row, column], abs=0.6)
