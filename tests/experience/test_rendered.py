"""Rendered images on disk: killed in the middle and resumed, damaged, and drawn as batches."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from caudex.core.errors import CaudexError
from caudex.envs.scenes import randomiser as table
from caudex.envs.scenes.stage import MuJoCoStage
from caudex.experience.rendered import PART, RenderedBatches, RenderedImages, render_images

RENDER = """
import sys
from pathlib import Path
from caudex.envs.scenes.stage import MuJoCoStage
from caudex.experience.rendered import render_images
stage = MuJoCoStage(16, shadow_size=0)
render_images(stage, stage.randomiser(seed=5), 1000, Path(sys.argv[1]))
"""


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_rendering_that_is_killed_and_resumed_writes_the_same_files(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([sys.executable, "-c", RENDER, str(whole)], check=True)
    process = subprocess.Popen([sys.executable, "-c", RENDER, str(killed)])
    while not (killed / "00001.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(files_of(killed)) < len(files_of(whole)) == 8
    subprocess.run([sys.executable, "-c", RENDER, str(killed)], check=True)
    assert {name: content for name, content in files_of(killed).items() if not name.startswith(".")} == files_of(whole)


@pytest.fixture(scope="module")
def stage():
    stage = MuJoCoStage(16, shadow_size=0)
    yield stage
    stage.close()


def test_images_positions_and_the_log_of_draws_belong_together(stage, tmp_path):
    randomiser = stage.randomiser(seed=1, off=("camera", "angle", "fov"))
    rendered = render_images(stage, randomiser, 300, tmp_path)
    assert rendered.images.shape == (300, 3, 16, 16) and rendered.images.dtype == torch.uint8
    (scene,) = randomiser.scenes([270])
    stage.show(scene)
    assert (torch.from_numpy(stage.render().copy()) == rendered.images[270]).all()
    assert rendered.positions[270].tolist() == list(scene.label)
    lines = (tmp_path / "draws-00001.jsonl").read_text().splitlines()
    logged = json.loads(lines[20])
    assert len(lines) == PART and logged.pop("number") == 270
    assert {
        name: tuple(values) for name, values in logged.items()
    } == scene.draws and logged.keys() == table.ROWS.keys()


def test_what_is_there_is_not_rendered_again_and_what_is_damaged_is(stage, tmp_path, monkeypatch):
    randomiser = stage.randomiser(seed=2)
    first = render_images(stage, randomiser, 2 * PART, tmp_path)
    files = files_of(tmp_path)
    (tmp_path / "00001.safetensors").write_bytes(files["00001.safetensors"][:1000])
    shows, show = [], stage.show
    monkeypatch.setattr(stage, "show", lambda scene: (shows.append(scene), show(scene)))
    again = render_images(stage, randomiser, 2 * PART, tmp_path)
    assert len(shows) == PART and files_of(tmp_path) == files
    assert all((old == new).all() for old, new in zip(first, again))


def test_other_settings_have_another_folder(stage, tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path))
    for settings in ({"seed": 1}, {"seed": 2}, {"seed": 1, "off": ("noise",)}, {"seed": 1, "num_textures": 7}):
        render_images(stage, stage.randomiser(**settings), 1)
    render_images(stage, stage.randomiser(seed=1), 1)
    assert len(list((tmp_path / "rendered").iterdir())) == 4


def test_a_folder_that_cannot_be_written_to_is_a_sentence(stage, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CaudexError, match=r"images cannot be kept in .*set CAUDEX_CACHE"):
        render_images(stage, stage.randomiser(), 1, tmp_path / "file" / "below")


def test_batches_resume_where_they_were():
    rendered = RenderedImages(
        torch.arange(20, dtype=torch.uint8)[:, None, None, None].expand(20, 3, 4, 4).contiguous(),
        torch.arange(40, dtype=torch.float64).view(20, 2),
    )
    source = RenderedBatches(rendered, 6, seed=3)
    next(source)
    state = source.state_dict()
    batch = next(source)
    assert (batch.numbers == rendered.positions[batch.index]).all() and batch.observations.dtype == torch.float32
    assert (batch.observations[:, 0, 0, 0] * 255).round().long().tolist() == batch.index.tolist()
    resumed = RenderedBatches(rendered, 6, seed=3)
    resumed.load_state_dict(state)
    assert all((a == b).all() for a, b in zip(batch, next(resumed)))
