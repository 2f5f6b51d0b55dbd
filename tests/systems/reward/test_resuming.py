"""Killed runs that learn from reward end with the same weights and metrics."""

import shutil

import pytest
import torch
from helpers.interruption import Killed, kill_after
from helpers.space_envs import env_name

from caudex.core.fit import fit
from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.systems.reward.dqn import DQN
from caudex.systems.reward.ppo import PPO


def killable_training(kind, folder, keep=1, env="CartPole-v1"):
    system = {
        "ppo": PPO(env=env, num_envs=2, horizon=32, batch=16, epochs=2, total_steps=512),
        "dqn": DQN(
            env=env,
            num_envs=3,
            buffer_size=120,
            learning_starts=60,
            batch=8,
            total_steps=400,
            n_step=2,
            priority_exponent=0.5,
            noisy=True,
            num_atoms=11,
        ),
    }[kind]
    run = Run(folder, 1, Hardware(device="cpu", save_seconds=0, keep=keep))
    run.quiet = True
    runner, spec = system.make_envs(run)
    with run.seeded("weights"):
        learner = system.learner(spec)
    source = system.source(runner, learner, run)
    return learner, {"policy": source}, {"run": run.stage("training"), "samples": system.total_steps}


@pytest.mark.parametrize("env", ["CartPole-v1", env_name("Nested"), env_name("Forbidding")])
@pytest.mark.parametrize("kind", ["ppo", "dqn"])
def test_a_killed_run_goes_on_to_the_same_weights_and_metrics(kind, env, tmp_path):
    learner, sources, fit_settings = killable_training(kind, tmp_path / "whole", env=env)
    uninterrupted = fit(learner, sources, **fit_settings).state_dict()
    for last in (21, 17):
        learner, sources, fit_settings = killable_training(kind, tmp_path / "killed", env=env)
        with pytest.raises(Killed):
            fit(learner, sources, **fit_settings, step=kill_after(last))
    learner, sources, fit_settings = killable_training(kind, tmp_path / "killed", env=env)
    resumed = fit(learner, sources, **fit_settings).state_dict()
    assert all(torch.equal(uninterrupted[name], resumed[name]) for name in uninterrupted)
    rows = [Run(tmp_path / name / "stages" / "training").metrics() for name in ("whole", "killed")]
    assert rows[0] == rows[1] and "episodes/return" in rows[0][-1]


@pytest.mark.parametrize("kind", ["ppo", "dqn"])
def test_a_run_goes_on_from_any_of_the_checkpoints_that_stay(kind, tmp_path):
    def train(name, step=None, keep=3):
        learner, sources, fit_settings = killable_training(kind, tmp_path / name, keep)
        return fit(learner, sources, **fit_settings, **({"step": step} if step else {})).state_dict()

    uninterrupted = train("whole", keep=1)
    stage = Run(tmp_path / "killed").stage("training")
    for last in (18, 10, 9):  # each goes on from the oldest that stays
        with pytest.raises(Killed):
            train("killed", kill_after(last))
        assert 2 <= len(stage.checkpoints) <= 3
        for newer in stage.checkpoints[1:]:
            shutil.rmtree(newer)
    resumed = train("killed")
    assert all(torch.equal(uninterrupted[name], resumed[name]) for name in uninterrupted)
    assert stage.metrics() == Run(tmp_path / "whole").stage("training").metrics()
    assert len(stage.checkpoints) == 3


def test_a_budget_of_experience_leaves_no_rollout_unused(tmp_path):
    learner, sources, fit_settings = killable_training("ppo", tmp_path)
    fit(learner, sources, **fit_settings)
    rollouts, passes, batches = 512 // 64, 2, 64 // 16
    run = Run(tmp_path / "stages" / "training")
    assert run.read_json("finished")["step"] == rollouts * passes * batches
    assert sources["policy"].env_steps == 512 == run.metrics()[-1]["samples"]


def test_acting_counts_in_the_operations(tmp_path):
    system = DQN(num_envs=3, buffer_size=120, learning_starts=60, batch=8, total_steps=400)
    run = Run(tmp_path, 1)
    run.quiet = True
    runner, spec = system.make_envs(run)
    source = system.source(runner, learner := system.learner(spec), run)
    fit(learner, {"policy": source}, samples=400, run=run.stage("training"))
    each = 2 * (4 * 128 + 128 * 128 + 128 * 2)
    last = run.stage("training").metrics()[-1]
    assert source.flops == each * (last["samples"] - 60)  # before that it acts without looking
    assert last["flops"] == source.flops + last["step"] * 8 * (3 + 1) * each  # the slow copy has no way back
