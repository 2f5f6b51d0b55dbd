import io

import av
import numpy as np
import pytest
import torch
from helpers.folders import file_names
from helpers.interruption import Killed, kill_after

from caudex.core.disk import parse_tensors
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.system import load, save_model, write_settings
from caudex.systems.reward.a3c import A3C
from caudex.systems.reward.dqn import DQN
from caudex.systems.reward.ppo import PPO

SYSTEMS = {
    "ppo": (PPO, {"num_envs": 2, "horizon": 32, "batch": 16, "epochs": 2, "total_steps": 512}),
    "a3c": (A3C, {"num_envs": 2, "asynchronous": False, "total_steps": 512}),
    "dqn": (DQN, {"num_envs": 2, "learning_starts": 60, "batch": 8, "total_steps": 400, "noisy": True}),
}


@pytest.fixture(autouse=True)
def few_episodes(monkeypatch):
    monkeypatch.setattr("caudex.systems.reward.shared.EVAL_EPISODES", 1)


def train(folder, kind="ppo", step=None, **settings):
    system_class, small = SYSTEMS[kind]
    system = system_class(seed=3, **small | settings)
    run = Run(folder, 3, Hardware(device="cpu", save_seconds=0))
    run.quiet = True
    write_settings(system, run)
    if step:
        system.training_step = step
    agent = system.train(run)
    save_model(agent, run)
    return agent.state_dict(), run.stage("training").metrics(), run


def evaluations(rows):
    return {row["step"]: row["evaluation/return"] for row in rows if "evaluation/return" in row}


@pytest.mark.parametrize("kind", SYSTEMS)
def test_training_is_the_same_with_evaluations_and_films(kind, tmp_path):
    plain, plain_rows, plain_run = train(tmp_path / "plain", kind)
    settings = {"evaluate_every": 150, "evaluate_episodes": 2, "video_every": 300}
    watched, rows, run = train(tmp_path / "watched", kind, **settings)
    assert all(torch.equal(plain[name], watched[name]) for name in plain)
    assert [row for row in rows if "evaluation/return" not in row] == plain_rows  # also operations
    assert run.read_json("results") == plain_run.read_json("results")
    assert len(evaluations(rows)) == 4 - (kind == "dqn")  # 150, 300, 450 and the end; 400 steps end before 450
    assert len(file_names(run.path / "video")) == 2


def test_evaluations_repeat_the_same_episodes_and_the_best_policy_stays(tmp_path):
    _, rows, _ = train(tmp_path, evaluate_every=64, evaluate_episodes=3)
    returns = evaluations(rows)
    assert len(returns) == 512 // 64
    best, last = load(tmp_path, best=True), load(tmp_path)
    seed = derive_seed(3, "evaluation")
    assert best.play(3, seed, silent=True).mean() == max(returns.values())
    assert last.play(3, seed, silent=True).mean() == returns[max(returns)]


def test_a_killed_run_keeps_the_same_best_policy(tmp_path):
    settings = {
        "evaluate_every": 40,
        "evaluate_episodes": 3,
    }  # also between two checkpoints: the best is then the newer one
    _, rows, run = train(tmp_path / "whole", **settings)
    for last in (15, 13, 25):
        with pytest.raises(Killed):
            train(tmp_path / "killed", step=kill_after(last), **settings)
    _, resumed_rows, resumed = train(tmp_path / "killed", **settings)
    assert rows == resumed_rows
    contents = [(each.path / "best.safetensors").read_bytes() for each in (run, resumed)]
    assert contents[0] == contents[1]
    assert parse_tensors(contents[0], "best")


def test_the_best_policy_of_a_run_that_is_not_finished_can_be_loaded(tmp_path):
    with pytest.raises(Killed):
        train(tmp_path, step=kill_after(30), evaluate_every=64, evaluate_episodes=1)
    assert isinstance(load(tmp_path, best=True).play(1, silent=True), np.ndarray)
    with pytest.raises(CaudexError, match="holds no finished training"):
        load(tmp_path)


def test_without_evaluations_there_is_no_best_policy(tmp_path):
    train(tmp_path)
    with pytest.raises(CaudexError, match=r"has no best.safetensors; a training with --evaluate-every keeps one"):
        load(tmp_path, best=True)


def test_films_show_an_episode(tmp_path):
    _, _, run = train(tmp_path, video_every=256)
    assert file_names(run.path / "video") == ["256.mp4", "512.mp4"]
    with av.open(io.BytesIO((run.path / "video" / "256.mp4").read_bytes())) as container:
        assert sum(1 for _ in container.decode(video=0)) > 5


def test_what_cannot_be_filmed_says_so_before_it_trains(tmp_path, capsys, monkeypatch):
    def refuse(*args, **kwargs):
        raise CaudexError("nothing can be seen.")

    monkeypatch.setattr("caudex.systems.reward.while_training.record_episode", refuse)
    system = PPO(**SYSTEMS["ppo"][1], video_every=100)
    system.train(run := Run(tmp_path, 0, Hardware(device="cpu")))
    assert capsys.readouterr().out.count("it trains without films: nothing can be seen.") == 1
    assert "video" not in file_names(run.path)


@pytest.mark.parametrize("setting", ["evaluate_every", "evaluate_episodes", "video_every"])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(CaudexError, match=f"^--{setting.replace('_', '-')} -5 is out of range"):
        PPO(**{setting: -5}).check()
