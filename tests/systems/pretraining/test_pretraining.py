"""Systems that learn without labels, and what begins with their trunks: small trainings that really learn."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.trainings import quiet_run, train

from caudex import data
from caudex.core.errors import CaudexError
from caudex.core.evaluation import Evaluation
from caudex.core.specs import ImageSpec
from caudex.core.system import load, system_at_scale
from caudex.data import Batch
from caudex.evaluation.verdicts import paired_gain
from caudex.systems.shared import describe_images, image_spec

PRETRAINING_SYSTEMS = ("simclr", "moco", "rotation", "jigsaw", "inpainting", "denoising", "colorization")


@pytest.mark.parametrize("name", PRETRAINING_SYSTEMS)
def test_every_system_trains_shows_and_loads_again(name, coloured_shapes, tmp_path):
    system = replace(system_at_scale(name, "tiny"), data=coloured_shapes, steps=6, batch=16, width=4)
    model, run = train(system, tmp_path / "run")
    results = run.read_json("results")
    assert {"linear probe", "random trunk", "20 neighbours", "best layer", "spectrum"} <= set(results)
    assert system.result_rows(results) and not [word for word in system.warn(results) if "measured" in word]
    figures = {file.stem for file in (run.path / "figures").iterdir()}
    assert {"nearest", "tsne"} <= figures and ("signal-outputs" in figures) == (name not in ("simclr", "moco"))
    again = load(run.path)
    images = data.load_images(coloured_shapes).test.fetch(slice(0, 5))
    torch.testing.assert_close(again(images), model.eval()(images))


def test_a_random_trunk_that_is_better_is_named():
    system = system_at_scale("simclr", "tiny")
    figures = {"low": 0.5, "high": 0.9, "test_size": 30}
    results = {"linear probe": {"accuracy": 0.7} | figures, "random trunk": {"accuracy": 0.8} | figures}
    results |= {"best layer": {"layer": "stage1", "random": 0.6, "accuracy": 0.9} | figures}
    results["spectrum"] = {"std": 0.5}
    loss = paired_gain([0, 1, 0, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 0, 1, 1]).to_json()  # in two of eight images
    results["gain over the random trunk"] = loss
    assert "a random trunk's features are as good" in system.warn(results)[0]
    assert [row[:2] for row in system.result_rows(results)[3:5]] == [
        ("best layer on held-out labels, stage1", "90.0%"),
        ("random trunk, stage1", "60.0%"),
    ]
    for verdict, words in {
        "worse": "a random trunk's features are better",
        "not shown": "no gain over a random trunk is shown (+20.0 points",
    }.items():
        results["gain over the random trunk"] = loss | {"gain": 0.2, "verdict": verdict}
        assert words in system.warn(results)[0]
    results["gain over the random trunk"]["verdict"] = "better"
    assert not system.warn(results)


def test_one_image_is_nothing_to_learn_from(tmp_path):
    np.savez(tmp_path / "one.npz", x=np.zeros((1, 16, 16), dtype=np.uint8))
    system = replace(system_at_scale("rotation", "tiny"), data=str(tmp_path / "one.npz"))
    with pytest.raises(CaudexError, match="one image"):
        system.train(quiet_run(tmp_path / "run"))


def test_contrast_learns_digits_without_their_labels(tmp_path):
    _, run = train(replace(system_at_scale("simclr", "tiny"), steps=60), tmp_path)
    results = run.read_json("results")
    assert results["linear probe"]["accuracy"] > results["random trunk"]["accuracy"] + 0.05
    assert results["20 neighbours"]["accuracy"] > 0.9
    assert results["spectrum"]["effective rank"] > 4
    rows = run.stage("pretraining").metrics()
    assert {"evaluation/20 neighbours", "evaluation/effective rank"} <= set().union(*rows)
    description = run.stage("pretraining").read_json("about")
    assert description["chance_loss"]["contrast"] == pytest.approx(np.log(63))  # two views of 32 images


def test_looking_at_a_training_does_not_move_it(coloured_shapes, tmp_path, monkeypatch):
    system = replace(system_at_scale("rotation", "tiny"), data=coloured_shapes, steps=12, batch=8, width=4)
    watched, _ = train(system, tmp_path / "watched")
    monkeypatch.setattr(Evaluation.__new__, "__defaults__", (0, (1.0,)))
    left_alone, _ = train(system, tmp_path / "alone")
    weights = zip(watched.trunk.parameters(), left_alone.trunk.parameters())
    assert all(torch.equal(one, other) for one, other in weights)


def test_one_folder_of_images_is_no_class(coloured_shapes, tmp_path):
    from PIL import Image

    (tmp_path / "photos" / "holiday").mkdir(parents=True)
    for i, image in enumerate(data.load_images(coloured_shapes).train.fetch(slice(0, 12))):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "photos" / "holiday" / f"{i}.png")
    split = data.load_images(str(tmp_path / "photos"), need_labels=False)
    assert split.train.classes == () and len(split.train) == 12 and len(split.test) == len(split.labelled) == 0


def test_images_need_no_labels_at_all(coloured_shapes, tmp_path):
    from PIL import Image

    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for i, image in enumerate(data.load_images(coloured_shapes).train.fetch(slice(0, 24))):
        where = folder / "more" if i % 3 == 0 else folder
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(where / f"{i}.png")
    system = replace(system_at_scale("rotation", "tiny"), data=str(folder), steps=3, batch=8, width=4)
    _, run = train(system, tmp_path / "run")
    results = run.read_json("results")
    assert "linear probe" not in results and run.read_json("spec")["counts"]["unlabelled"] == 24
    assert any("no labels to test with" in sentence for sentence in system.warn(results))
    with pytest.raises(CaudexError, match="there are no labels to probe with"):
        system.claim(quiet_run(tmp_path / "claim"))


def test_what_is_held_out_is_not_learned_from(coloured_shapes):
    split = data.load_images(coloured_shapes, need_labels=False)
    assert len(split.train) + len(split.test) == 160
    assert not set(split.train.hashes()) & set(split.test.hashes())
    assert (split.train.labels == -1).all()


def test_like_images_raise_the_alarm(tmp_path):
    path = tmp_path / "same.npz"
    np.savez(path, x=np.full((60, 16, 16), 90, dtype=np.uint8))
    system = replace(system_at_scale("simclr", "tiny"), data=str(path), steps=3, batch=8, width=4)
    _, run = train(system, tmp_path / "run")
    assert any("collapsed" in sentence for sentence in system.warn(run.read_json("results")))


# -- going on from it ----------------------------------------------------------------------------------------------


def test_a_run_begins_with_the_trunk_of_another(simclr_run, coloured_shapes, tmp_path):
    system = replace(
        system_at_scale("supervised", "tiny"),
        data=coloured_shapes,
        start=simclr_run,
        steps=1,
        lr=1e-8,
        average=0.0,
        dropout=0.0,
    )
    model, run = train(system, tmp_path / "run")
    before = load(simclr_run).trunk
    for one, other in zip(model.trunk.parameters(), before.parameters()):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    assert torch.equal(model.trunk.standardise.mean, before.standardise.mean)
    shutil.rmtree(run.path / "stages")  # what is kept needs neither the other run nor checkpoints
    assert load(run.path).classes == ("0", "1")


def test_the_other_trunk_must_fit(simclr_run, coloured_shapes, tmp_path):
    system = replace(system_at_scale("supervised", "tiny"), data=coloured_shapes, start=simclr_run, width=12)
    with pytest.raises(CaudexError, match=r"--start .* has another network; add --width 8\."):
        system.train(quiet_run(tmp_path / "run"))
    with pytest.raises(CaudexError, match=r"has another network; add --stride 2\."):
        replace(system, width=8, stride=1).train(quiet_run(tmp_path / "stride"))
    with pytest.raises(CaudexError, match=r"--start .* learned from colour images, these are grey"):
        replace(system, width=8, data="digits").train(quiet_run(tmp_path / "grey"))
    with pytest.raises(CaudexError, match="is not a run folder"):
        replace(system, start=str(tmp_path)).train(quiet_run(tmp_path / "other"))


# -- the publications' sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["simclr", "moco", "rotation", "jigsaw", "inpainting", "colorization"])
def test_a_step_at_the_papers_width(name):
    """The whole ResNet-50 and the paper's optimiser, on two small images."""
    system = replace(system_at_scale(name, "paper"), batch=2, **({"queue": 4} if name == "moco" else {}))
    learner = system.learner(ImageSpec((3, 96, 96)))
    assert learner.trunk.width == 2048
    images = torch.rand(2, 3, 96, 96)
    batch = Batch(images, torch.zeros(2), torch.arange(2), other_images=images.flip(3))
    before = [p.clone() for p in learner.trunk.stem.parameters()]
    outputs = learner.step(dict.fromkeys(learner.signals, batch))
    assert all(torch.isfinite(each.loss) for each in outputs.values())
    assert any(not torch.equal(a, b) for a, b in zip(before, learner.trunk.stem.parameters()))


def test_resnet50_learns_labels_too():
    system = replace(system_at_scale("supervised"), trunk="resnet50", width=4, dropout=0.0, survival=1.0)
    system.check()
    spec = ImageSpec((1, 16, 16), ("a", "b"))
    assert system.learner(spec).trunk.width == 128
    with pytest.raises(CaudexError, match="resnet50 has neither dropout nor stochastic depth"):
        replace(system, dropout=0.4).check()


# -- what cannot be ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings", "because"),
    [
        ("moco", {"queue": 100, "batch": 64}, "--queue 100 is no multiple of --batch 64; try --queue 64"),
        ("moco", {"queue": 32, "batch": 64}, "--queue 32 is out of range"),
        ("simclr", {"optimizer": "adam"}, "--optimizer adam is unknown; choose adamw, sgd, lars"),
        ("simclr", {"trunk": "vit"}, "--trunk vit is unknown. Choose small or resnet50"),
        ("simclr", {"batch": 1}, "--batch 1 is out of range"),
        ("simclr", {"crop": 0.0}, "--crop 0 is out of range"),
        ("jigsaw", {"grid": 4}, "--grid 4 is out of range"),
        ("probe", {"shares": (0.0,)}, "--shares 0 is no share"),
        ("labels-saved", {"label_counts": ()}, "--pretraining and --label-counts need something"),
        ("dense-heads", {"also": ("rotation",)}, "dense-heads has its two heads alone"),
        ("labels-saved", {"minutes": 3.0}, "--minutes: labels-saved sets it itself"),
        ("labels-saved", {"pretraining": ("supervised",)}, "--pretraining supervised does not learn without labels"),
        (
            "labels-saved",
            {"pretraining": ("simclr", "simclr")},
            "--pretraining simclr simclr: something stands there twice",
        ),
        ("labels-saved", {"label_counts": (5, 2, 5)}, "--label-counts 5 2 5: something stands there twice"),
        ("jigsaw", {"orders": 1}, "--orders 1 leaves nothing to tell"),
        ("simclr", {"also": ("next-frame",)}, "it needs videos"),
        ("labels-saved", {"auxiliary": ("foo:1",)}, "'foo' is not among the signals"),
        ("labels-saved", {"auxiliary": ("next-frame",)}, "it needs videos"),
        ("labels-saved", {"auxiliary": ("rotation:0.5+rotation:0.5",)}, "each signal can be added once"),
    ],
)
def test_settings_that_make_no_sense(name, settings, because):
    with pytest.raises(CaudexError, match=because):
        replace(system_at_scale(name, "tiny"), **settings).check()


@pytest.mark.parametrize(
    ("name", "settings", "because"),
    [
        ("colorization", {"data": "digits"}, "cannot learn colours from grey images"),
        ("moco", {"also": ("contrast:0.5",)}, "--also contrast: this system teaches it already"),
        ("inpainting", {"mask": "left"}, "a mask 'left' is unknown"),
        ("jigsaw", {"grid": 3, "size": 12}, "try --size 18"),
        ("jigsaw", {"grid": 2, "orders": 25}, "4 pieces have 24 orders"),
    ],
)
def test_images_that_do_not_suit(name, settings, because, tmp_path):
    with pytest.raises(CaudexError, match=because):
        replace(system_at_scale(name, "tiny"), steps=2, **settings).train(quiet_run(tmp_path / "run"))


def test_rotation_wants_squares(tmp_path):
    path = tmp_path / "wide.npz"
    np.savez(path, x=np.random.default_rng(0).integers(0, 256, (40, 16, 24), dtype=np.uint8))
    with pytest.raises(CaudexError, match="crop them to squares"):
        replace(system_at_scale("rotation", "tiny"), data=str(path), steps=2).train(quiet_run(tmp_path / "run"))


def test_spec_of_unlabelled_images_name_no_class(tmp_path):
    path = tmp_path / "grey.npz"
    np.savez(path, x=np.zeros((5, 16, 16), dtype=np.uint8))
    spec = image_spec(data.load_images(str(path), need_labels=False))
    assert spec.classes == () and describe_images(spec) == "5 unlabelled images of 16 x 16"


def test_what_was_held_out_before_is_the_test_again(coloured_shapes, simclr_run):
    split = replace(system_at_scale("supervised", "tiny"), data=coloured_shapes, start=simclr_run, seed=5).load_split()
    before = data.load_images(coloured_shapes, seed=0)
    assert split.test.hashes() == before.test.hashes()
    other = replace(system_at_scale("supervised", "tiny"), data=coloured_shapes, seed=5).load_split()
    assert other.test.hashes() != before.test.hashes()


def test_a_test_of_its_own_with_one_known_class_measures_nothing(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (40, 16, 16), dtype=np.uint8)
    labels = np.array([0] * 20)
    np.savez(tmp_path / "one.npz", x_train=images[:20], y_train=labels, x_test=images[20:], y_test=labels)
    _, run = train(
        replace(system_at_scale("rotation", "tiny"), data=str(tmp_path / "one.npz"), steps=2), tmp_path / "run"
    )
    assert "linear probe" not in run.read_json("results")
