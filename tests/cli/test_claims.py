"""Claims, probes and panels, also after they were killed."""

import json
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers.cli_runs import QUICK, SMALL, wait_until
from helpers.command_line import CAUDEX, assert_refused, run_cli

from caudex.core.run import Run


def test_a_claim_of_two_seeds():
    output = run_cli("claim", "supervised", *QUICK, "--labels-per-class", "2", "--seeds", "2", "--workers", "2")
    claim = json.loads((output.run / "claim.json").read_text(), parse_constant=pytest.fail)
    assert output.run == Path("runs/claim-supervised-1")
    assert claim["system"] == "supervised" and claim["scale"] == "tiny" and claim["seeds"] == [0, 1]
    assert claim["statement"] and claim["seconds"] > 0
    assert claim["interval"][0] < claim["mean"] < claim["interval"][1]
    assert set(claim["baselines"]) == {"support vector machine"}
    assert claim["shown"] is False  # six steps are not enough, which is no error
    assert claim["command"].startswith("caudex claim supervised --scale tiny")
    assert claim["verdict"] == "worse" and claim["provisional"]
    assert "worse than support vector machine" in output.out and "Provisional: 2 of the five seeds" in output.out
    again = run_cli("claim", "supervised", *QUICK, "--labels-per-class", "2", "--seeds", "2", "--run", output.run)
    assert json.loads((again.run / "claim.json").read_text())["mean"] == claim["mean"]
    assert_refused(
        "claim", "supervised", *QUICK, "--labels-per-class", "3", "--run", output.run, because="other settings"
    )
    assert_refused("predict", output.run, "x.png", because="is a claim, not a model")


def test_a_claim_over_several_widths_of_one_seed():
    words = ("claim", "supervised", *SMALL, "--steps", "4", "--labels-per-class", "1", "--seeds", "1")
    output = run_cli(*words, "--over", "width=4,8")
    claim = json.loads((output.run / "claim.json").read_text(), parse_constant=pytest.fail)
    assert (claim["setting"], [part["value"] for part in claim["values"]]) == ("width", [4, 8])
    assert claim["values"][0]["interval"] is None  # one seed has none
    assert (output.run / "figures" / "sweep-width.png").exists()
    assert "width" in output.out and "one seed" in output.out


def test_a_killed_claim_goes_on():
    words = ["claim", "supervised", *QUICK, "--labels-per-class", "1", "--seeds", "3", "--run", "claim"]
    process = subprocess.Popen([*CAUDEX, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = Path("claim/stages/seed-0/claim.json")
    wait_until(lambda: first.exists(), process)
    process.kill()
    process.communicate(timeout=60)  # its worker holds the other end: it has gone too
    measured = first.stat().st_mtime
    output = run_cli("resume", "claim")
    assert output.run == Path("claim")
    assert json.loads(Path("claim/claim.json").read_text())["seeds"] == [0, 1, 2]
    assert first.stat().st_mtime == measured


def test_ctrl_c_reaches_the_workers_of_a_claim():
    words = ["claim", "supervised", *QUICK, "--steps", "100000", "--workers", "2", "--seeds", "3", "--run", "claim"]
    process = subprocess.Popen([*CAUDEX, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(list(Path("claim").glob("stages/seed-*/stages/*/metrics.jsonl"))) == 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert err == "caudex: stopped; `caudex resume claim` goes on.\n"
    for seed in (0, 1):
        assert any(Path(f"claim/stages/seed-{seed}").rglob("checkpoints/*"))  # it was saved
    assert not Path("claim/stages/seed-2").exists()


def test_a_trunk_is_probed_and_its_data_need_not_be_named_again():
    first = run_cli("train", "rotation", *QUICK, "--run", "first").run
    output = run_cli("probe", first, "--scale", "tiny", "--steps", "4", "--threads", "1")
    assert output.run == Path("runs/probe-1")
    assert all(words in output.out for words in ("linear probe, stage1", "20 nearest", "fine-tuned with 136"))
    settings = json.loads((output.run / "settings.json").read_text())["settings"]
    assert (settings["start"], settings["width"], settings["data"]) == ("first", 4, "digits")
    assert "Probes of each layer" in (output.run / "report.html").read_text()
    assert_refused("probe", "nowhere", because="nowhere is not a run folder")
    assert_refused("probe", first, "--width", "6", because="has another network; add --width 4.")
    Run("films").save_settings("next-frame", {"data": "sprites"})
    assert_refused("probe", "films", because="did not learn from images; say on which to probe it")


def test_a_killed_panel_goes_on_to_the_same_table():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 90, (60, 16, 16), dtype=np.uint8)
    images[::2, 4:9] += 120
    np.savez("bars.npz", x=images, y=np.arange(60) % 2)
    words = [
        "labels-saved",
        "--data",
        "bars.npz",
        "--steps",
        "6",
        "--batch",
        "8",
        "--width",
        "4",
        "--label-counts",
        "2",
    ]
    words += [
        "--draws",
        "2",
        "--pretraining",
        "rotation",
        "--auxiliary",
        "rotation:0.5",
        "--processes",
        "1",
        "--threads",
        "1",
    ]
    uninterrupted_run = run_cli(*words, "--run", "whole").run
    process = subprocess.Popen([*CAUDEX, *words, "--run", "cut"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: len(list(Path("cut").glob("stages/cells/*/cell.json"))) > 3, process)
    process.kill()
    process.communicate(timeout=60)
    measured = {file: file.stat().st_mtime for file in Path("cut").glob("stages/cells/*/cell.json")}
    run_cli("resume", "cut")
    assert all(file.stat().st_mtime == when for file, when in measured.items())
    table = "tables/cells.csv"
    assert (uninterrupted_run / table).read_text() == (Path("cut") / table).read_text()
