"""Episodes as the environment itself gives them, for who learns from them elsewhere: what was seen, done and earned."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caudex.core.disk import write_atomically
from caudex.core.errors import CaudexError
from caudex.envs import Env, TimeStep


class RecordedEpisode:
    """`observations` has one more than `actions`: the last is what was seen at the end."""

    def __init__(self, observation: Any):
        self.observations = [named_arrays("observations", observation)]
        self.actions: list[np.ndarray] = []
        self.outcomes: list[tuple[float, bool, bool]] = []  # reward, terminated, truncated

    def add(self, action: Any, observation: Any, reward: Any, terminated: bool, truncated: bool) -> None:
        self.observations.append(named_arrays("observations", observation))
        self.actions.append(np.array(action))
        self.outcomes.append((float(np.asarray(reward).reshape(())), bool(terminated), bool(truncated)))


class Recording:
    """The episodes of each of several copies of an environment; `attach` it before the first reset."""

    def __init__(self):
        self.episodes: list[list[RecordedEpisode]] = []  # of each copy

    def attach(self, env: Env) -> Env:
        """The environment, recorded: those of Gymnasium as they are themselves, our own as an `Env` gives them."""
        self.episodes = [[] for _ in range(env.num_envs)]
        if not hasattr(env, "envs"):
            return RecordedEnv(env, self.episodes)
        env.envs = [record_gymnasium(each, episodes) for each, episodes in zip(env.envs, self.episodes)]
        return env

    def arrays(self, count: int) -> dict[str, np.ndarray]:
        """The first `count` episodes, of all copies in turns, one row for each step; `final_observations` one for each episode.
        Nested observations have an array for each part, as `observations/camera`."""
        copies = len(self.episodes)
        episodes = [self.episodes[i % copies][i // copies] for i in range(count)]
        before = [observation for episode in episodes for observation in episode.observations[:-1]]
        final = [episode.observations[-1] for episode in episodes]
        outcomes = [outcome for episode in episodes for outcome in episode.outcomes]
        lengths = [len(episode.actions) for episode in episodes]
        last = np.cumsum(lengths) - 1
        rewards, terminated, truncated = zip(*outcomes)
        terminated, truncated = np.array(terminated), np.array(truncated)
        truncated[last] |= ~terminated[last]  # by the limit of steps where policies are played
        arrays = {name: stack(name, [observation[name] for observation in before]) for name in before[0]}
        arrays |= {f"final_{name}": stack(name, [observation[name] for observation in final]) for name in final[0]}
        arrays["actions"] = stack("actions", [action for episode in episodes for action in episode.actions])
        flags = {"rewards": np.array(rewards), "terminated": terminated, "truncated": truncated}
        return arrays | flags | {"episodes": np.repeat(np.arange(count), lengths)}

    def write(self, file: Path, count: int) -> None:
        """`arrays(count)` as a compressed .npz that numpy reads without pickle."""
        content = io.BytesIO()
        np.savez_compressed(content, **self.arrays(count))
        write_atomically(file, content.getvalue())


class RecordedEnv:
    """An environment of our own: every other attribute is that of `env`."""

    def __init__(self, env: Env, episodes: list[list[RecordedEpisode]]):
        self.env, self.episodes = env, episodes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    def reset(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        observations = self.env.reset(seeds, mask)
        for i in np.flatnonzero(mask):
            self.episodes[i].append(RecordedEpisode(observations[i]))
        return observations

    def step(self, actions: np.ndarray) -> TimeStep:
        step = self.env.step(actions)
        rows = zip(actions, step.observations, step.rewards, step.terminated, step.truncated)
        for episodes, row in zip(self.episodes, rows):
            episodes[-1].add(*row)
        return step


def record_gymnasium(env: Any, episodes: list[RecordedEpisode]) -> Any:
    """A Gymnasium environment whose episodes are appended."""
    from gymnasium import Wrapper

    class Recorded(Wrapper):
        def reset(self, **options):
            begin = self.env.reset(**options)
            episodes.append(RecordedEpisode(begin[0]))
            return begin

        def step(self, action):
            step = self.env.step(action)
            episodes[-1].add(action, *step[:4])
            return step

    return Recorded(env)


def named_arrays(name: str, observation: Any) -> dict[str, np.ndarray]:
    """Copies of an observation, or of each part of a nested one, by NAME/KEY."""
    if isinstance(observation, Mapping):
        parts = observation.items()
    elif isinstance(observation, tuple):
        parts = enumerate(observation)
    else:
        return {name: np.array(observation)}
    return {key: array for part, value in parts for key, array in named_arrays(f"{name}/{part}", value).items()}


def stack(name: str, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """[N, ...]. Raises CaudexError for what is no number and no text."""
    if arrays[0].dtype == object:
        raise CaudexError(f"--record: {name} are objects of Python, which a file of arrays does not hold.")
    return np.stack(arrays)
