"""probe measures layers and numbers of labels."""

from dataclasses import replace

import pytest
import torch
from helpers.trainings import quiet_run, train

from caudex import data
from caudex.core.errors import CaudexError
from caudex.core.system import load, system_at_scale
from caudex.models.encoder import extract_features


def test_probe_reports_layers_and_labels(simclr_run, coloured_shapes, tmp_path):
    system = replace(
        system_at_scale("probe", "tiny"),
        data=coloured_shapes,
        start=simclr_run,
        width=8,
        shares=(0.05, 0.051, 1.0),
        steps=5,
    )
    model, run = train(system, tmp_path / "run")
    results = run.read_json("results")
    assert [row["layer"] for row in results["layers"]] == ["stage1", "stage2", "stage3", "pooled"]
    assert [row["labels"] for row in results["fine-tuning"]] == [6, 128]  # of 128 a twentieth, three of each class
    assert load(run.path).predict(torch.zeros(2, 3, 16, 16, dtype=torch.uint8))[0][0] in model.classes
    classes = 1 + 2 + 1  # macro-F1, recall of each of two, one class for all
    assert len(system.result_rows(results)) == 1 + 2 * 4 + 1 + 2 * 2 + classes + 1
    with pytest.raises(CaudexError, match="--start is missing"):
        replace(system, start=None).train(quiet_run(tmp_path / "other"))


def test_features_of_frozen_layers_do_not_depend_on_the_batch(simclr_run, coloured_shapes):
    trunk, images = load(simclr_run).trunk, data.load_images(coloured_shapes).test
    all_features, parts = extract_features(trunk, images), extract_features(trunk, images, batch_size=7)
    for layer, layer_features in all_features.items():
        torch.testing.assert_close(layer_features, parts[layer])
