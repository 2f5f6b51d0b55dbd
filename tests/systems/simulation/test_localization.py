"""localization: from random looks to centimetres, and what will not do."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from helpers.command_line import assert_refused, run_cli
from helpers.trainings import quiet_run
from PIL import Image
from pytest import approx

from caudex.core.specs import ImageSpec
from caudex.core.system import load, system_at_scale
from caudex.evaluation.claim import Claim
from caudex.evaluation.location import location_errors
from caudex.experience.rendered import RenderedImages
from caudex.systems.simulation.localization import Localization

TINY = ("train", "localization", "--scale", "tiny", "--threads", "1")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """One folder of rendered images for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAUDEX_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name in ("a.png", "b.png"):
        Image.new("RGB", (48, 32), (90, 120, 60)).save(folder / name)
    (folder / "positions.csv").write_text("path,x,y\na.png,3,4\nb.png,0,0\n")
    return folder


def test_it_learns_where_a_square_stands(tmp_path):
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(0, 12, (400, 2), generator=generator)
    images = torch.randint(0, 60, (400, 3, 16, 16), dtype=torch.uint8, generator=generator)
    for image, (x, y) in zip(images, places.tolist()):
        image[:, y : y + 4, x : x + 4] = 250
    rendered = RenderedImages(images, (places.double() - 5.5) * 5)
    system = Localization(steps=150, batch=32, width=8, stride=1)
    spec = ImageSpec((3, 16, 16), target="number", target_name="x, y (cm)", number=(0.0, 17.0))
    model = system.fit_positions(quiet_run(tmp_path), spec, rendered)
    row = location_errors(model.positions(images), rendered.positions)
    assert row["error"] < 4 < 17 < row["chance"]


def test_a_tiny_training_with_photos_predicts_and_exports(tmp_path, photos):
    output = run_cli(*TINY, "--photos", photos, "--off", "distractors", "camera", "--run", tmp_path / "run")
    assert "2 photos to test on" in output.out and "2.50" in output.out
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert list(results) == ["photos", "held-out looks", "training looks"]
    assert results["photos"]["chance"] == approx(2.5) and results["photos"]["test_size"] == 2
    assert {file.name for file in (tmp_path / "run" / "figures").iterdir()} >= {"looks.png", "predictions-photos.png"}
    run_cli("predict", tmp_path / "run", photos, "--csv", tmp_path / "places.csv")
    rows = list(csv.DictReader((tmp_path / "places.csv").open()))
    assert [row.keys() for row in rows] == [{"file": 0, "x (cm)": 0, "y (cm)": 0}.keys()] * 2
    model = load(tmp_path / "run")
    image = torch.tensor([90, 120, 60], dtype=torch.uint8)[None, :, None, None].expand(1, 3, 32, 32)
    x, y = model.predict(image)[0]
    assert float(rows[0]["x (cm)"]) == approx(x, abs=0.01) and float(rows[0]["y (cm)"]) == approx(y, abs=0.01)
    assert model(image).tolist()[0] == approx([x, y])


def test_a_claim_compares_with_one_fixed_look_in_the_same_run(tmp_path):
    system = replace(system_at_scale("localization", "tiny"), steps=4, seed=1)
    run = quiet_run(tmp_path, 1)
    claim = system.claim(run)
    assert isinstance(claim, Claim) and list(claim.baselines) == ["one fixed look"]
    assert 15 < claim.extra_metrics["error of the table's centre, cm"] < 22
    fixed = run.stage("fixed").read_json("results")
    assert fixed["held-out looks"]["chance"] == claim.extra_metrics["error of the table's centre, cm"]  # the same test


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, photos):
    where = ("--run", tmp_path / "run")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_refused(*TINY, "--off", "texture", *where, because="Did you mean textures?")
    assert_refused(*TINY, "--also", "rotation", *where, because="localization has its one head alone")
    assert_refused(*TINY, "--textures", "0", *where, because="--textures 0 is out of range")
    assert_refused(
        *TINY, "--scene", tmp_path / "no.xml", *where, because="is not there; give a file in MuJoCo's format"
    )
    assert_refused(*TINY, "--photos", empty, *where, because="has no positions.csv")
    (tmp_path / "scene.xml").write_text("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
    assert_refused(*TINY, "--scene", tmp_path / "scene.xml", *where, because="has no body; add <body")
