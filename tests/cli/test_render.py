"""caudex render: a folder of proxy reality that localization tests on; cut off and gone on with; and what will not do."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.command_line import assert_refused, invoke, run_cli

from caudex.core.specs import ImageSpec
from caudex.data.images.decode import ImageFormat
from caudex.data.images.positions import read_positions

SMALL = ("--size", "16", "--samples", "1")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAUDEX_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_localization_tests_on_the_folder(tmp_path):
    output = run_cli("render", tmp_path / "proxy", "--count", "3", "--size", "32", "--samples", "2")
    assert f"next: caudex train localization --photos {tmp_path / 'proxy'} --size=32" in output.out
    rows = list(csv.DictReader((tmp_path / "proxy" / "positions.csv").open()))
    assert [row["path"] for row in rows] == ["00000.png", "00001.png", "00002.png"]
    spec = ImageSpec((3, 32, 32), target="number", target_name="x, y (cm)", number=(0.0, 17.0))
    photos = read_positions(tmp_path / "proxy", ImageFormat.from_spec(spec))
    assert photos.images.shape == (3, 3, 32, 32) and photos.images.float().std() > 10 and not photos.skipped
    assert photos.positions.tolist() == [[float(row["x"]), float(row["y"])] for row in rows]
    output = run_cli(
        *("train", "localization", "--scale", "tiny", "--threads", "1", "--photos", tmp_path / "proxy"),
        *("--steps", "2", "--no-shadows", "--run", tmp_path / "run"),
    )
    assert "3 photos to test on; none is left out" in output.out


def test_both_renderers_show_the_same_scenes(tmp_path):
    run_cli("render", tmp_path / "proxy", "--count", "2", *SMALL)
    run_cli("render", tmp_path / "raster", "--count", "2", "--size", "16", "--renderer", "mujoco")
    proxy, raster = files_of(tmp_path / "proxy"), files_of(tmp_path / "raster")
    assert proxy["positions.csv"] == raster["positions.csv"] and proxy["00000.png"] != raster["00000.png"]


def test_a_render_that_is_killed_goes_on_to_the_same_files(tmp_path, cache):
    words = [sys.executable, "-m", "caudex", "render", "--count", "65", *SMALL]
    run_cli("render", tmp_path / "whole", "--count", "65", *SMALL)
    environment = os.environ | {"CAUDEX_CACHE": str(tmp_path / "other")}
    process = subprocess.Popen([*words, str(tmp_path / "killed")], env=environment)
    while not list(Path(tmp_path / "other").rglob("00001.safetensors")):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed").exists()
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "other").rglob("0000[01].safetensors")}
    subprocess.run([*words, str(tmp_path / "killed")], env=environment, check=True, capture_output=True)
    assert len(before) == 2 and {file: file.stat().st_mtime_ns for file in before} == before  # not rendered again
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
    assert len(files_of(tmp_path / "whole")) == 66


def test_writing_that_was_cut_off_begins_anew(tmp_path):
    (tmp_path / ".proxy.partial").mkdir()
    (tmp_path / ".proxy.partial" / "00009.png").write_bytes(b"half")
    run_cli("render", tmp_path / "proxy", "--count", "1", *SMALL)
    assert files_of(tmp_path / "proxy").keys() == {"00000.png", "positions.csv"}


def test_a_folder_that_cannot_be_written_leaves_the_images_in_the_cache(cache):
    output = invoke("render", "/proc/new", "--count", "1", *SMALL)
    assert output.code == 2 and "/proc/new cannot be written" in output.err and "stay in the cache" in output.err
    assert list(cache.rglob("00000.safetensors"))


def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, monkeypatch):
    new = tmp_path / "new"
    assert_refused("render", tmp_path, because="exists already; delete it first, or give another name")
    assert_refused("render", tmp_path / "no" / "such", because="there is no folder")
    assert_refused("render", new, "--count", "0", because="--count 0 is out of range; it must be between 1 and 100000")
    assert_refused("render", new, "--size", "8", because="--size 8 is out of range")
    assert_refused("render", new, "--samples", "0", because="--samples 0 is out of range")
    assert_refused("render", new, "--seed", "-1", because="--seed -1 is out of range")
    assert_refused("render", new, "--shape", "con", because="'con' is no shape. Did you mean cone?")
    assert_refused("render", new, "--shape", "body", because="'body' is no shape.")
    assert_refused("render", new, "--scene", tmp_path / "no.xml", because="give a file in MuJoCo's format")
    assert_refused("render", new, "--renderer", "mujoco", "--samples", "4", because="MuJoCo traces no rays")
    assert_refused("render", new, "--renderer", "blender", because="mitsuba")
    assert_refused("render", because="FOLDER")
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    assert_refused("render", new, because="needs the package mitsuba: pip install 'caudex[render]'")
    assert not new.exists()
