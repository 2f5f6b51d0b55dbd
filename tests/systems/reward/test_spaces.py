"""Every space is learned in by the methods that take it, played, and refused in a sentence by the others."""

import numpy as np
import pytest
import torch
from helpers.space_envs import OBSERVATIONS, env_name

from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.systems.reward.a3c import A3C
from caudex.systems.reward.curl import CURL
from caudex.systems.reward.ddpg import DDPG
from caudex.systems.reward.dqn import DQN
from caudex.systems.reward.ppo import PPO
from caudex.systems.reward.rainbow import Rainbow
from caudex.systems.reward.sac import SAC
from caudex.systems.reward.trpo import TRPO

REPLAY = {"num_envs": 2, "total_steps": 60, "learning_starts": 30, "batch": 8, "buffer_size": 100}
METHODS = {
    "ppo": (PPO, {"num_envs": 2, "total_steps": 64, "horizon": 16, "batch": 16, "epochs": 1}),
    "a3c": (A3C, {"num_envs": 2, "total_steps": 40, "asynchronous": False}),
    "trpo": (TRPO, {"num_envs": 2, "total_steps": 64, "horizon": 16}),
    "dqn": (DQN, REPLAY),
    "rainbow": (Rainbow, REPLAY),
    "sac": (SAC, REPLAY | {"hidden": (8, 8)}),
    "ddpg": (DDPG, REPLAY | {"hidden": (8, 8)}),
    "curl": (CURL, REPLAY | {"hidden": (8, 8)}),
}
ACTION_METHODS = {
    "StartsAtOne": ("ppo", "a3c", "trpo", "dqn", "rainbow"),
    **dict.fromkeys(("Several", "Switches", "Unbounded"), ("ppo", "a3c", "trpo")),
    **dict.fromkeys(("Whole", "Double", "Single", "Matrix"), ("ppo", "trpo", "sac", "ddpg")),
}


def trained(method, space, folder):
    kind, settings = METHODS[method]
    run = Run(folder, 1)
    run.quiet = True
    return kind(env=env_name(space), **settings).train(run)


@pytest.mark.parametrize(
    "method, space",
    [("ppo", space) for space in OBSERVATIONS]
    + [("dqn", space) for space in ("Rank4", "Floats", "Nested", "Vectors", "TwoCameras")]
    + [(method, "Nested") for method in ("a3c", "trpo", "rainbow")]
    + [(method, space) for space, methods in ACTION_METHODS.items() for method in methods]
    + [(method, "ForbiddingSeveral") for method in ("ppo", "a3c", "trpo")]
    + [("rainbow", "Forbidding"), ("trpo", "Forbidding"), ("a3c", "Forbidding")],
)
def test_each_space_is_trained_in_and_played(method, space, tmp_path):
    agent = trained(method, space, tmp_path)
    assert agent.play(2).shape == agent.play(2, greedy=False).shape == (2,)
    assert np.isfinite(agent.play(1)).all()


@pytest.mark.parametrize(
    "method, settings", [("ppo", {"total_steps": 4096, "horizon": 64}), ("dqn", {"total_steps": 1500})]
)
def test_a_masked_policy_learns_and_never_takes_what_is_forbidden(method, settings, tmp_path):
    kind, base = METHODS[method]
    run = Run(tmp_path, 1)
    run.quiet = True
    settings = (
        base
        | settings
        | {"lr": 3e-3}
        | ({"train_freq": 2, "n_step": 1, "gamma": 0.0} if method == "dqn" else {"epochs": 5})
    )
    agent = kind(env=env_name("Forbidding"), **settings).train(
        run
    )  # its environment fails where a forbidden action is taken
    results = run.read_json("results")
    assert results["policy"]["return"] > 5 > 4 > results["random"]["return"]  # of six steps
    rows = np.random.default_rng(0).integers(2, size=(500, 16)).astype(np.uint8)
    rows[:, :12] = np.random.default_rng(1).normal(size=(500, 3)).astype(np.float32).view(np.uint8)
    rows[np.arange(500), 12 + np.arange(500) % 4] = 1
    for greedy in (True, False):
        assert rows[np.arange(500), 12 + agent.act(rows, greedy)].all()
    agent.act_blindly(rows)
    assert rows[np.arange(500), 12 + agent.act_blindly(rows)].all()


@pytest.mark.parametrize("method", ["ppo", "dqn"])
@pytest.mark.parametrize(
    "env, mask_size",
    [
        ("Taxi-v4", 6),
        ("LunarLander-v3", 0),
        ("minigrid:MiniGrid-DoorKey-5x5-v0", 0),
        ("highway_env:highway-fast-v0", 0),
    ],
)
def test_environments_of_other_packages_are_learned_in_as_they_are(env, mask_size, method, tmp_path):
    kind, settings = METHODS[method]
    system, run = kind(env=env, **settings), Run(tmp_path, 1)
    runner, spec = system.make_envs(run)
    learner = system.learner(spec)
    source = system.source(runner, learner, run)
    for _ in range(3):
        learner.step({"policy": next(source)})
    assert spec.mask_size == mask_size and all(weight.isfinite().all() for weight in learner.parameters())


@pytest.mark.parametrize(
    "method, space, because",
    [
        ("dqn", "Several", "by several choices at once, this method chooses one of some actions; take ppo"),
        ("sac", "Several", "by choosing 2 actions at once, sac acts with numbers; take ppo"),
        ("sac", "Unbounded", r"without bounds, sac needs them; .*gymnasium.wrappers.TransformAction"),
        ("ddpg", "Unbounded", "without bounds, ddpg needs them"),
        ("curl", "Nested", r"curl learns from one image alone: .*gymnasium.wrappers.FilterObservation"),
    ],
)
def test_a_method_that_cannot_take_a_space_names_what_can(method, space, because, tmp_path):
    with pytest.raises(CaudexError, match=because):
        trained(method, space, tmp_path)
    assert not (tmp_path / "spec.json").exists()


def test_signals_that_compare_images_are_refused_where_there_is_more():
    with pytest.raises(CaudexError, match="shows images among other things"):
        PPO(env=env_name("Nested"), also=("bilinear-contrast:0.1",)).make_envs(Run("", 1))


def test_the_first_line_says_what_is_seen_and_left_out(tmp_path, capsys):
    system = PPO(env=env_name("Nested"))
    runner, spec = system.make_envs(Run(tmp_path, 1))
    system.record_spec(Run(tmp_path, 1), spec)
    assert "5 numbers and images (3, 8, 8) to see, 2 actions; left out are its texts mission" in capsys.readouterr().out
    assert Run(tmp_path).read_spec(type(spec)) == spec and runner.observations.dtype == np.uint8
    assert torch.equal(
        system.learner(spec).trunk(torch.from_numpy(runner.observations)).pooled.isnan(),
        torch.zeros(8, 128, dtype=bool),
    )
