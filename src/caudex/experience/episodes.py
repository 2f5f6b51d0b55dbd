"""Whole episodes, played by a policy: returns, lengths and images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caudex import envs
from caudex.core.progress import ProgressBar
from caudex.core.seeds import derive_seed
from caudex.envs import Policy
from caudex.experience.recording import Recording
from caudex.experience.runner import EnvRunner, StepResult


class Episode(NamedTuple):
    """Statistics of an episode."""

    total_reward: float
    length: int
    terminated: bool  # it ended before its time, as nothing could follow
    x_position: float  # metres along x at its end; NaN where the environment has none


class Frame(NamedTuple):
    """An image of an episode."""

    image: np.ndarray  # uint8 [H, W, 3]
    step: int
    x_position: float


def play_episodes(
    env_name: str, policy: Policy, count: int, seed: int, frame_stack: int = 1, silent: bool = False, num_envs: int = 10,
    recording: Recording | None = None,
) -> list[Episode]:  # fmt: skip
    """`count` episodes of `policy`; each environment plays the same number, lest the short episodes count more. None is
    longer than `Env.max_episode_steps`."""
    num_envs = 1 if envs.is_single(env_name) else min(count, num_envs)
    env = envs.make(env_name, num_envs)
    env = recording.attach(env) if recording else env
    runner = EnvRunner(env, derive_seed(seed, "play"), frame_stack, max_episode_steps=env.max_episode_steps)
    episodes_per_env = -(-count // num_envs)
    episodes: list[list[Episode]] = [[] for _ in range(num_envs)]
    with ProgressBar("playing", num_envs * episodes_per_env, silent=silent) as progress:
        while min(map(len, episodes)) < episodes_per_env:
            step = runner.step(policy(runner.observations))
            for i, total_reward, length in runner.finished_episodes:
                terminated = bool(step.terminated[i])
                episodes[i].append(Episode(total_reward, length, terminated, x_positions(step)[i]))
            runner.finished_episodes.clear()
            finished = sum(min(len(played), episodes_per_env) for played in episodes)
            progress.update(min(1.0, finished / progress.total))
    env.close()
    return [episodes[i % num_envs][i // num_envs] for i in range(count)]


def record_episode(
    env_name: str, policy: Policy, seed: int, frame_stack: int = 1, max_frames: int = 0, max_steps: int = 10_000
) -> tuple[list[Frame], Episode, float]:
    """Frames of one episode, or of its first `max_steps`; its statistics; frames a second. With `max_frames`, no more than
    twice as many frames, evenly spread in time."""
    env = envs.make(env_name, 1, renderable=True)
    runner, frames, every, total_reward = EnvRunner(env, derive_seed(seed, "watch"), frame_stack), [], 1, 0.0
    frames.append(Frame(env.render(), 0, 0.0))
    for length in range(1, max_steps):
        step = runner.step(policy(runner.observations))
        total_reward += float(step.rewards[0])
        episode = Episode(total_reward, length, bool(step.terminated[0]), float(x_positions(step)[0]))
        if step.dones[0]:
            break
        if length % every == 0:
            frames.append(Frame(env.render(), length, episode.x_position))
        if max_frames and len(frames) > 2 * max_frames:
            frames, every = frames[::2], 2 * every
    env.close()
    return frames, episode, env.render_fps


def x_positions(step: StepResult) -> np.ndarray:
    """Metres along x of each body, [N]."""
    return np.full(len(step.rewards), np.nan) if step.x_position is None else step.x_position


def episode_returns(
    env_name: str, policy: Policy, count: int, seed: int, frame_stack: int = 1, silent: bool = False
) -> np.ndarray:
    """Returns [count] of `policy`."""
    episodes = play_episodes(env_name, policy, count, seed, frame_stack, silent)
    return np.array([episode.total_reward for episode in episodes])


def random_returns(env_name: str, count: int, seed: int, silent: bool = False) -> np.ndarray:
    """Returns [count] of the random policy."""
    return episode_returns(env_name, make_random_policy(env_name, seed), count, seed, silent=silent)


def make_random_policy(env_name: str, seed: int) -> Policy:
    """The random policy of an environment."""
    env = envs.make(env_name, 1)
    env.close()
    return envs.random_policy(env.action_space, derive_seed(seed, "random"), env.layout)
