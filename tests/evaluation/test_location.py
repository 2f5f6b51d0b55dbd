"""Errors of places, by hand."""

import torch
from helpers.trainings import quiet_run
from pytest import approx

from caudex.envs.scenes.randomiser import ROWS, Randomiser
from caudex.evaluation import location
from caudex.evaluation.location import location_errors, location_rows, location_warnings, plot_located
from caudex.experience.rendered import RenderedImages


def test_errors_are_distances_in_centimetres_beside_the_tables_centre():
    positions = torch.tensor([[3.0, 4.0], [0.0, 1.0], [-6.0, 8.0]], dtype=torch.float64)
    predictions = torch.tensor([[3.0, 4.0], [0.0, -2.0], [-6.0, 2.0]], dtype=torch.float64)
    row = location_errors(predictions, positions)
    assert row["error"] == approx(3) and row["median"] == approx(3) and row["near"] == approx(1 / 3)
    assert row["chance"] == approx((5 + 1 + 10) / 3) and row["near_chance"] == approx(1 / 3)
    assert (row["low"] + row["high"]) / 2 == approx(3) and row["test_size"] == 3


def test_rows_and_a_warning_where_nothing_was_learned():
    positions = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=torch.float64)
    results = {"photos": location_errors(torch.zeros(2, 2, dtype=torch.float64), positions)}
    assert location_rows(results)[1:] == [
        ("photos", "3.00", "-22.41 to 28.41 of 2", "1.00", "50.0%"),
        ("by the table's centre", "3.00", "", "", "50.0%"),
    ]
    assert location_warnings(results)[0].startswith("photos: no better than saying the table's centre")
    assert location_warnings({"photos": location_errors(positions, positions)}) == []


def test_the_marks_are_on_the_object_and_on_what_was_predicted(tmp_path, monkeypatch):
    (scene,) = Randomiser(off=tuple(ROWS)).scenes([0])
    plots = []
    monkeypatch.setattr(location, "plot_image_tiles", lambda *arguments: plots.append(arguments))
    test = RenderedImages(
        torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.tensor([scene.label], dtype=torch.float64)
    )
    plot_located(quiet_run(tmp_path), "held-out looks", test, test.positions + torch.tensor([6.0, 0.0]), [scene])
    ((_, name, (image,), _, captions),) = plots
    assert name == "predictions-held-out-looks" and captions == ["6.0 cm"] and image.shape == (3, 192, 192)
    for colour, x in ((location.TRUE, scene.label[0]), (location.PREDICTED, scene.label[0] + 6)):
        pixels = (image == torch.tensor(colour, dtype=torch.uint8)[:, None, None]).all(0).nonzero().double()
        column, row = scene.camera.project([x / 100, scene.label[1] / 100, scene.objects[0].position[2]], 192, 192)
        assert pixels.mean(0).tolist() == approx([row, column], abs=0.6)
