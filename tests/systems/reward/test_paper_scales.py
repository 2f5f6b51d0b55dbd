"""Each system's scale of its publication begins on this machine."""

from dataclasses import replace

import pytest

from caudex.core.run import Run
from caudex.core.system import system_at_scale
from caudex.systems.reward.shared import RewardSystem


@pytest.mark.parametrize(
    ("name", "scale"),
    [("dqn", "paper"), ("double-dqn", "paper"), ("rainbow", "paper"), ("rainbow", "atari-100k"), ("ppo", "paper"),
     ("ppo", "mujoco"), ("trpo", "paper"), ("sac", "paper"), ("ddpg", "paper"), ("curl", "atari-100k"), ("curl", "dmcontrol-100k")],
)  # fmt: skip
def test_the_papers_scale_begins_to_train(name, scale, tmp_path, monkeypatch):
    """Its environment, networks and optimiser, with a memory that is full at once and few steps."""
    system, few = system_at_scale(name, scale), {"total_steps": 60}
    system.check()
    if hasattr(system, "buffer_size"):
        few |= {"buffer_size": 100, "learning_starts": 40, "batch": 4}
    else:
        few |= {"num_envs": 2, "horizon": 16}
    monkeypatch.setattr(RewardSystem, "evaluate", lambda self, agent, run: agent)  # who knows nothing can play for long
    run = Run(tmp_path, 0)
    run.quiet = True
    player = replace(system, **few).train(run)
    assert player.env.endswith(system.env.partition("/")[2]) and all(p.isfinite().all() for p in player.parameters())
    last = run.stage("training").metrics()[-1]
    assert last["step"] >= 1 and last["flops"] > 0
    if system.env.startswith("ALE/"):
        assert player.shape == (4, 84, 84)
