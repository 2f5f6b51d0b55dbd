"""Two dense heads on one trunk, and their data."""

from dataclasses import replace

import pytest
from helpers.trainings import train
from torch.optim import AdamW

from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.specs import ImageSpec
from caudex.core.system import system_at_scale
from caudex.data.images.scenes import (
    SEGMENTS,
    SceneBatches,
    make_scenes,
)
from caudex.signals.depth import Depth
from caudex.signals.segmentation import Segmentation
from caudex.trunks import ResNet


def test_two_dense_heads_and_the_baseline_of_position_alone(tmp_path):
    system = replace(system_at_scale("dense-heads", "tiny"), steps=4, scenes=40)
    _, run = train(system, tmp_path)
    results = run.read_json("results")
    assert set(results) == {"both heads", "a trunk each", "place alone"}
    assert all(set(each) == {"accuracy", "mean_iou", "relative_error"} for each in results.values())
    spent = {
        name: run.stage(name).read_json("finished")["flops"] for name in ("both", "segmentation-alone", "depth-alone")
    }
    assert spent["segmentation-alone"] + spent["depth-alone"] == pytest.approx(spent["both"], rel=0.6)


def test_both_are_learned_on_one_trunk():
    source = SceneBatches(make_scenes(8, side=16), 8)
    learner = Learner(ResNet(width=16, depth=1), {"segmentation": Segmentation(5), "depth": Depth()}, AdamW)
    losses = []
    for _ in range(20):
        outputs = learner.step(dict.fromkeys(learner.signals, next(source)))
        losses.append({name: each.loss.item() for name, each in outputs.items()})
    assert losses[-1]["segmentation"] < 0.7 * losses[0]["segmentation"]
    assert losses[-1]["depth"] < 0.3
    assert learner.signals["segmentation"].logits(learner.trunk, next(source).images).shape == (8, 5, 16, 16)
    assert learner.signals["depth"].log_depth(learner.trunk, next(source).images).shape == (8, 16, 16)


def test_the_command_line_says_what_data_they_need():
    system = replace(system_at_scale("simclr", "tiny"), also=("depth", "segmentation:0.5"))
    spec = ImageSpec((3, 16, 16))
    signals = system.extra_signals(spec)
    assert signals["segmentation"].weight == 0.5 and signals["segmentation"].classes == len(SEGMENTS)
    with pytest.raises(CaudexError, match="--also depth: it needs scenes whose every pixel is known"):
        system.match_sources(signals, unlabelled=None)
