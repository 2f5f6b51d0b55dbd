"""Pieces of a claim, of made-up figures, gathered into one."""

import json

import pytest
from helpers.command_line import assert_refused, invoke, run_cli

from caudex.core.run import Run
from caudex.core.system import system_at_scale, write_settings
from caudex.evaluation.claim import Claim
from caudex.evaluation.measure_claim import SeedRecord


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_piece(file, seed, gain, control=0.2, setting="", **settings):
    """A seed of `supervised` that beat its baseline, 0.5, by `gain`."""
    system = system_at_scale("supervised", "tiny")
    for name, value in {"seed": seed, **settings}.items():
        setattr(system, name, value)
    run = Run(file.parent / "fit", seed)
    write_settings(system, run)
    claim = Claim("networks win", 0.5 + gain, {"machine": 0.5}, controls={"one class for all": control + 0.001 * seed})
    Run(file.parent).write_struct(
        file.stem, SeedRecord(**run.settings(), seed=seed, setting=setting, claim=claim, seconds=2.0)
    )
    return file


def write_claim_folder(name, gains, **settings):
    folder = Run(name).path
    for seed, gain in gains.items():
        write_piece(folder / "stages" / f"seed-{seed}" / "claim.json", seed, gain, **settings)
    return folder


def test_pieces_of_two_days_are_one_claim(tmp_path):
    monday = write_claim_folder("monday", {0: 0.10, 1: 0.12, 2: 0.11})
    tuesday = [write_piece(tmp_path / "pieces" / f"{seed}.json", seed, 0.09 + 0.01 * seed) for seed in (3, 4)]
    output = run_cli("claim", "--gather", monday, *tuesday)
    claim = json.loads((output.run / "claim.json").read_text())
    assert (claim["seeds"], claim["verdict"], claim["provisional"]) == ([0, 1, 2, 3, 4], "better", False)
    assert claim["mean"] == pytest.approx(0.5 + (0.10 + 0.12 + 0.11 + 0.12 + 0.13) / 5)
    assert claim["seconds"] == 10 and claim["command"].startswith("caudex claim --gather monday")
    assert "better than machine (the claim: networks win)" in output.out and "Provisional" not in output.out
    assert invoke("resume", output.run).code == 1  # the pieces may be anybody's
    again = run_cli("resume", output.run, "--trust")  # nothing is missing
    assert json.loads((again.run / "claim.json").read_text())["mean"] == claim["mean"]
    assert "better than machine" in (output.run / "report.html").read_text()


def test_a_claim_of_few_seeds_is_provisional_and_a_loss_is_worse():
    output = run_cli("claim", "--gather", write_claim_folder("few", {0: -0.10, 1: -0.12, 2: -0.11}))
    assert "Provisional: 3 of the five seeds" in output.out and "worse than machine" in output.out


def test_a_claim_whose_control_also_wins_exits_with_1():
    gains = {seed: 0.2 + 0.001 * seed for seed in range(5)}
    output = invoke("claim", "--gather", write_claim_folder("won", gains, control=0.6))
    assert output.code == 1
    assert output.err == (
        "caudex: the claim is refused: its control 'one class for all' beats the baseline 'machine', too, so that beating it "
        "shows nothing. Find a stronger baseline, or other data.\n"
    )
    claim = json.loads((output.run / "claim.json").read_text())
    assert claim["verdict"] == "better" and not claim["shown"] and claim["refused"]


def test_pieces_that_do_not_belong_together_are_refused(tmp_path):
    first = write_claim_folder("first", {0: 0.1, 1: 0.1})
    other_seed = write_piece(tmp_path / "pieces" / "again.json", 1, 0.1)
    assert_refused(
        "claim", "--gather", first, other_seed, because="seed 1 stands in first/stages/seed-1/claim.json and in"
    )
    wider = write_piece(tmp_path / "wider" / "2.json", 2, 0.1, width=16)
    assert_refused("claim", "--gather", first, wider, because="was measured with --width 16, ")
    (tmp_path / "empty").mkdir()
    assert_refused("claim", "--gather", first, "empty", because="--gather empty holds no measured seed")
    assert_refused("claim", "--gather", first, "nothing.json", because="nothing.json: there is no such file of a seed")
    write_settings(system_at_scale("supervised", "tiny"), Run("begun"))
    assert_refused("claim", "--gather", first, "begun", because="--gather begun is a run and no claim")
    Run("begun").write_json("plan", {})
    assert_refused("claim", "--gather", first, "begun", because="no seed is finished; `caudex resume begun` goes on")
    (tmp_path / "broken.json").write_text("[]")
    assert_refused("claim", "--gather", first, "broken.json", because="broken.json is not as caudex wrote it")


def test_a_swept_setting_is_gathered_value_by_value(tmp_path):
    for width in (4, 8):
        for seed in (0, 1):
            write_piece(
                tmp_path / "pieces" / f"{width}-{seed}.json", seed, 0.1 + 0.01 * seed, setting="width", width=width
            )
    claim = json.loads((run_cli("claim", "--gather", "pieces").run / "claim.json").read_text())
    assert (claim["setting"], claim["comparisons"]) == ("width", 2)
    assert [part["value"] for part in claim["values"]] == [4, 8]
    (tmp_path / "pieces" / "8-1.json").unlink()
    assert_refused(
        "claim", "--gather", "pieces", because="seed 1 was not measured with --width 8; each value needs the same"
    )
