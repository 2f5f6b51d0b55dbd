"""Run folders from strangers: nothing that lies in them is run, and nothing that they name is opened unasked."""

import json
import shutil
import socket
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from helpers.command_line import assert_refused, invoke, run_cli

import caudex
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.system import system_at_scale, write_settings
from caudex.core.trust import is_own
from caudex.evaluation.measure_claim import ClaimPlan
from caudex.systems.meta import rl2

PPO = ("train", "ppo", "--scale", "tiny", "--threads", "1", "--total-steps", "600")
RL2 = (
    "train",
    "rl2",
    "--scale",
    "tiny",
    "--threads",
    "1",
    "--total-steps",
    "600",
    "--width",
    "8",
    "--tasks",
    "10",
    "--batch",
    "5",
)
MODULES = ("evil", "runs.ppo.evil", "runs.evil")
EVIL = """
import pathlib
import gymnasium
pathlib.Path({canary!r}).touch()

def half(env):
    return env

def make(seed):
    return gymnasium.make("CartPole-v1", max_episode_steps=20)
"""


@pytest.fixture(scope="module")
def strangers_runs(tmp_path_factory) -> Path:
    """A folder with runs/ppo and runs/rl2, which another user made."""
    folder = tmp_path_factory.mktemp("stranger")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAUDEX_STATE", str(folder / "state"))
        patch.setattr(rl2, "TEST_TASKS", 4)
        run_cli(*PPO, "--run", folder / "runs/ppo")
        run_cli(*RL2, "--env", "bandits", "--run", folder / "runs/rl2")
    return folder / "runs"


@pytest.fixture(autouse=True)
def _fresh_imports(monkeypatch):
    """A later test finds neither these modules nor this folder."""
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield
    for name in (*MODULES, "mine"):
        sys.modules.pop(name, None)


@pytest.fixture
def canary(strangers_runs) -> Path:
    """runs/ppo and runs/rl2 of the stranger in the working folder, with evil code inside and beside; what it would leave behind."""
    canary = Path("canary").resolve()
    shutil.copytree(strangers_runs, "runs")
    for folder in (".", "runs", "runs/ppo", "runs/rl2"):
        Path(folder, "evil.py").write_text(EVIL.format(canary=str(canary)))
    return canary


def change(file, **changes) -> None:
    """Other values of the settings, or of the spec."""
    content = json.loads(Path(file).read_text())
    content.get("settings", content).update(changes)
    Path(file).write_text(json.dumps(content))


@pytest.mark.parametrize("place", [".", "runs", "runs/ppo"])
def test_nothing_in_a_strangers_folder_is_run(canary, place, monkeypatch):
    runs = Path("runs").resolve()
    monkeypatch.chdir(place)
    for module in MODULES:
        for name, attribute in {"ppo": "CartPole-v1", "rl2": "make"}.items():
            for file in ("settings", "spec"):
                change(runs / name / f"{file}.json", env=f"{module}:{attribute}")
        for words in (
            ("play", runs / "ppo", "--episodes", "1"),
            ("play", runs / "ppo", "--episodes", "1", "--video", canary.with_name("film.mp4")),
            ("meta-test", runs / "rl2", "--tasks", "2"),
            ("predict", runs / "ppo", "evil.py"),
            ("export", runs / "ppo"),
            ("report", runs / "ppo"),
            ("compare", runs / "ppo", runs / "rl2"),
            ("probe", runs / "ppo"),
            ("resume", runs / "ppo"),
            ("resume", runs / "rl2", "--trust"),
        ):
            output = invoke(*words)
            assert output.code in (0, 1, 2) and not canary.exists(), words
            if words[0] in ("play", "meta-test"):
                assert f"would import the module {module}; read it, then say --env {module}:" in output.err
        for name in ("ppo", "rl2"):
            agent = caudex.load(runs / name)
            with pytest.raises(CaudexError, match=rf"would import the module {module}; .* \(in Python: env='"):
                agent.play(2)
    assert not canary.exists()


def test_a_wrapper_is_imported_only_where_the_user_says_its_name(canary):
    name = "CartPole-v1?sutton_barto_reward=true|evil:half"
    for file in ("settings", "spec"):
        change(f"runs/ppo/{file}.json", env=name)
    assert_refused("play", "runs/ppo", because=f"would import the module evil; read it, then say --env {name}")
    assert_refused("play", "runs/ppo", "--env-args", "sutton_barto_reward=false", because="import the module evil")
    assert invoke("resume", "runs/ppo", "--trust").code == 2 and not canary.exists()
    run_cli("play", "runs/ppo", "--episodes", "1", "--env", name)
    assert canary.exists()


def test_code_is_run_where_the_user_says_its_name(canary):
    change("runs/ppo/spec.json", env="evil:CartPole-v1")
    run_cli("play", "runs/ppo", "--episodes", "1", "--env", "evil:CartPole-v1")
    assert canary.exists()
    assert caudex.load("runs/ppo").play(1, env="evil:CartPole-v1").shape == (1,)


def test_a_strangers_run_switches_no_logger_on(canary, monkeypatch):
    def refuse(*args):
        raise AssertionError("metrics were sent")

    monkeypatch.setattr("caudex.core.loggers.open_logger", refuse)
    file = Path("runs/ppo/hardware.json")
    file.write_text(file.read_text().replace('"tensorboard"', '"wandb"'))
    Path("runs/ppo/finished.json").unlink()
    output = invoke("resume", "runs/ppo")
    assert output.code == 1
    assert "  --log wandb, which would send the metrics to where that package is set up to\n" in output.out
    for words in (("play", "runs/ppo", "--episodes", "1"), ("report", "runs/ppo")):
        invoke(*words)


def test_a_strangers_run_is_gone_on_with_when_asked_for(canary):
    Path("runs/ppo/finished.json").unlink()
    output = invoke("resume", "runs/ppo")
    assert output.out.splitlines() == [
        "runs/ppo was not made by you on this machine, or was changed since. It would use:",
        "  --threads 1",
    ]
    assert (output.code, output.err) == (1, "caudex: if you trust these, `caudex resume runs/ppo --trust` goes on.\n")
    change("runs/ppo/settings.json", env="evil:CartPole-v1")
    output = invoke("resume", "runs/ppo", "--trust")
    assert output.code == 2 and "--trust alone does not allow that" in output.err
    assert "  --env evil:CartPole-v1, which would import the module evil" in output.out
    assert_refused(
        "resume", "runs/ppo", "--trust", "--env", "other:CartPole-v1", because="goes on with the settings of"
    )
    assert not canary.exists()
    run_cli("resume", "runs/ppo", "--trust", "--env", "evil:CartPole-v1")
    assert canary.exists()
    assert_refused("resume", "runs/ppo", because="is finished")  # it is this user's own now
    run_cli("play", "runs/ppo", "--episodes", "1")


def test_ones_own_run_is_gone_on_with_wherever_it_was_moved(monkeypatch):
    monkeypatch.setattr(rl2, "TEST_TASKS", 4)
    Path("mine.py").write_text(EVIL.format(canary="ran"))
    for words, name, env in ((PPO, "ppo", "mine:CartPole-v1"), (RL2, "rl2", "mine:make")):
        run_cli(*words, "--env", env, "--run", f"runs/{name}")
        Path(f"runs/{name}/finished.json").unlink()
        moved = Path(shutil.move(f"runs/{name}", f"moved-{name}"))
        run_cli("resume", moved)
    run_cli("play", "moved-ppo", "--episodes", "1")
    run_cli("meta-test", "moved-rl2", "--tasks", "2")
    change("moved-ppo/settings.json", num_envs=3)
    assert "or was changed since" in invoke("resume", "moved-ppo").out
    change("moved-rl2/spec.json", env="another:make")
    assert "would import the module another" in assert_refused("meta-test", "moved-rl2", "--tasks", "2", because="")


def test_no_address_and_no_images_of_a_strangers_are_opened(monkeypatch):
    def no_network(*address, **options):
        raise AssertionError(address)

    monkeypatch.setattr(socket, "create_connection", no_network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAUDEX_STATE", "stranger")
        panel = replace(
            system_at_scale("labels-saved"), cluster="192.0.2.1:6379", trunk="small", data="/etc", labels="/etc/passwd"
        )
        write_settings(panel, Run("panel", hardware=Hardware(threads=10**6)))
        write_settings(replace(system_at_scale("simclr"), data="hf:a/b", labels="x y.csv"), Run("simclr"))
    output = invoke("resume", "panel")
    assert output.code == 1
    assert output.out.splitlines()[1:] == [
        "  --data /etc",
        "  --labels /etc/passwd",
        "  --trunk small",
        "  --cluster 192.0.2.1:6379",
        "  --threads 1000000",
    ]
    change("simclr/settings.json", trunk="--run=injected")
    assert_refused("probe", "simclr", "--data", "digits", because="--trunk --run=injected is unknown")
    assert_refused("probe", "simclr", because="say which to probe it on, as --data hf:a/b --labels 'x y.csv'.")


def test_the_plan_of_a_claim_and_its_stages_are_signed_too():
    run = Run("claim")
    run.write_json("plan", asdict(ClaimPlan(seeds=1)))
    write_settings(system_at_scale("ppo"), run)
    stage = Run("claim/stages/seed-0")
    write_settings(replace(system_at_scale("ppo"), seed=7), stage)
    assert is_own(run) and is_own(stage)
    change("claim/plan.json", workers=64, command="rm -rf /")
    output = invoke("resume", "claim")
    assert (output.code, output.out.splitlines()[1:]) == (1, ["  --workers 64"])


def test_the_help_of_resume_tells_of_trust():
    output = run_cli("resume", "--help").out
    assert "--trust" in output and "which is imported" not in output and "it is imported" in output
