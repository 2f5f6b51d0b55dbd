"""An exported policy takes what the environment returns, and acts as predict does."""

import json
import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import onnxruntime
import pytest
import torch
from helpers.space_envs import env_name

from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.models.agent import Agent
from caudex.systems.reward.ppo import PPO

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
EXAMPLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]


def untrained_agent(system: str, env: str, folder: Path) -> Agent:
    settings = {"env": env, "num_envs": 1, "total_steps": 5000}
    _, spec = (method := find_class("systems", system)(**settings)).make_envs(Run(folder, 0))
    torch.manual_seed(5)
    agent = method.model(spec).eval()
    for weight in agent.parameters():  # heads begin so small that all actions are alike
        weight.data += (weight.ndim > 1) * torch.randn_like(weight)
    return agent


def leaves(observation) -> list:
    if isinstance(observation, dict):
        return [leaf for part in observation.values() for leaf in leaves(part)]
    if isinstance(observation, tuple):
        return [leaf for part in observation for leaf in leaves(part)]
    return [] if isinstance(observation, str) else [observation]


@pytest.mark.parametrize(
    "system, space",
    [
        ("ppo", name)
        for name in ("Rank0", "Rank4", "Grey", "Floats", "Number", "Bits", "Numbers", "Nested", "TwoCameras")
    ]
    + [("ppo", name) for name in ("StartsAtOne", "Several", "Switches", "Whole", "Unbounded", "ForbiddingSeveral")]
    + [("rainbow", "Forbidding"), ("sac", "Double"), ("ddpg", "Matrix")],
)
def test_actions_are_those_of_predict(system, space, tmp_path):
    agent, env = untrained_agent(system, env_name(space), tmp_path), gymnasium.make(env_name(space))
    assert [file.name for file in agent.export(tmp_path / "out")] == ["model.onnx"]
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    names, seen = [part.name for part in session.get_inputs()], []
    for seed in range(12):
        observation, info = env.reset(seed=seed)
        if seed % 3 == 0 and space in ("Grey", "TwoCameras"):  # images of noise alone are all alike
            observation = np.zeros_like(observation) if space == "Grey" else tuple(map(np.zeros_like, observation))
        expected, _ = agent.predict(observation, action_masks=info.get("action_mask"))
        inputs = [np.asarray(leaf)[None] for leaf in leaves(observation)]
        if "action_mask" in info:
            mask = info["action_mask"]
            inputs.append((np.concatenate(mask) if isinstance(mask, tuple) else mask).astype(np.int8)[None])
        (actions,) = session.run(None, dict(zip(names, inputs, strict=True)))
        assert actions.dtype == env.action_space.dtype and actions.shape == (1, *env.action_space.shape)
        np.testing.assert_allclose(actions[0], expected, rtol=1e-4, atol=1e-5)
        assert env.action_space.contains(actions[0] if env.action_space.shape else actions[0].item())
        seen.append(actions[0].tolist())
    assert seen.count(seen[0]) < len(seen)  # it looks where it goes


def test_frames_are_stacked_inside(tmp_path):
    agent = untrained_agent("dqn", env_name("ChannelsFirst"), tmp_path)
    env, state, theirs = gymnasium.make(env_name("ChannelsFirst")), None, np.zeros((1, 12, 40, 41), np.uint8)
    agent.export(tmp_path / "out")
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    assert json.loads(session.get_modelmeta().custom_metadata_map["state"]) == [12, 40, 41]
    for seed in range(3):
        observation, begins = env.reset(seed=seed)[0], True
        for _ in range(6):
            expected, state = agent.predict(observation, state, np.array([begins]))
            actions, theirs = session.run(
                None, {"observation": observation[None], "state": theirs, "episode_start": np.array([begins])}
            )
            assert actions[0] == expected and np.array_equal(theirs, state)
            observation, *_ = env.step(expected)
            begins = False


def test_the_example_of_the_page_earns_what_the_policy_earns(tmp_path):
    run = Run(tmp_path / "run", 0)
    run.quiet = True
    agent = PPO(env="CartPole-v1", total_steps=4096, horizon=128, batch=128, epochs=4).train(run)
    agent.export(tmp_path)
    blocked = "import sys; sys.modules.update(dict.fromkeys(['torch', 'caudex', 'onnx', 'onnxscript']))\n"
    completed = subprocess.run(
        [sys.executable, "-c", blocked + EXAMPLE], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    env, total, done = gymnasium.make("CartPole-v1"), 0.0, False
    observation, _ = env.reset(seed=0)
    while not done:
        action, _ = agent.predict(observation)
        observation, reward, terminated, truncated, _ = env.step(action)
        total, done = total + reward, terminated or truncated
    assert float(completed.stdout) == total
    assert len(EXAMPLE.splitlines()) <= 12
