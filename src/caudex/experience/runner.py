"""Steps environments for ever: each episode begins when the last has ended, from its own seed."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

import numpy as np
import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.core.seeds import derive_seed
from caudex.core.specs import mask_size
from caudex.core.typed_json import check_kind
from caudex.core.weights import check_tensor
from caudex.envs import Env, best_choices
from caudex.envs.watchdog import check_finite


class StepResult(NamedTuple):
    """One step in N environments. `next_observations` are those after the step, also where it ended the episode; where
    `dones`, the environment was reset, and the first observation of its new episode is in `EnvRunner.observations`. A lost
    life counts as `terminated`, too."""

    rewards: np.ndarray  # float64 [N]
    terminated: np.ndarray  # bool [N]
    truncated: np.ndarray  # bool [N]
    next_observations: np.ndarray  # [N, ...]
    dones: np.ndarray  # bool [N]
    x_position: np.ndarray | None  # float64 [N]: metres along x of each body; NaN where the environment has none


class RunnerState(TypedDict):
    episode_counts: Tensor
    episode_actions: list[Tensor]
    finished_episodes: list[tuple[int, float, int]]
    observations: Tensor


class EnvRunner:
    """`observations` [N, ...] are the current ones, `step(actions)` goes on; of images the last `frame_stack` frames, the first of
    an episode repeated. With `reward_clip`, the rewards returned are clipped to it; those of `metrics` are not. Episodes are
    truncated after `max_episode_steps`, where it is not 0.

    Resumes exactly: the running episodes are begun again from their seeds, their actions repeated, and the observations at
    the end compared. Raises CaudexError for a reward or an observation that is not finite, and where an environment that is
    resumed shows something else.
    """

    def __init__(self, env: Env, seed: int, frame_stack: int = 1, reward_clip: float = 0.0, max_episode_steps: int = 0):
        self.env, self.seed, self.reward_clip, self.max_episode_steps = env, seed, reward_clip, max_episode_steps
        self.frame_stack = frame_stack if len(env.observation_space.shape) == 3 else 1
        self.mask_size = mask_size(env.layout)
        num_envs = env.num_envs
        self.episode_counts = np.zeros(num_envs, np.int64)  # of finished episodes, of each environment
        self.episode_returns, self.episode_lengths = np.zeros(num_envs), np.zeros(num_envs, np.int64)  # so far
        self.finished_episodes: list[tuple[int, float, int]] = []  # environment, return and length, since `metrics`
        self.episode_actions: list[list] = [[] for _ in range(num_envs)]  # of the running episodes
        frames = self._reset(np.ones(num_envs, bool))
        self.observations = np.tile(frames, (1, self.frame_stack, 1, 1)) if self.frame_stack > 1 else frames

    @property
    def observation_shape(self) -> tuple[int, ...]:
        channels, *rest = self.env.observation_space.shape
        return (channels * self.frame_stack, *rest)

    def step(self, actions: np.ndarray) -> StepResult:
        """Actions as a `Policy` gives them, within the bounds of the action space."""
        for episode, action in zip(self.episode_actions, actions):
            episode.append(action)
        step = self.env.step(actions)
        numbers = [step.rewards] + ([step.observations] if self.observations.dtype.kind == "f" else [])
        check_finite(self.env.name, numbers, f" after {int(self.episode_lengths.max()) + 1:,} steps of an episode")
        self.episode_returns += step.rewards
        self.episode_lengths += 1
        next_observations = self.observations = self._push_frames(step.observations)
        truncated = step.truncated | (self.episode_lengths >= (self.max_episode_steps or np.inf))
        dones = step.terminated | truncated
        if dones.any():
            finished = (np.flatnonzero(dones), self.episode_returns[dones], self.episode_lengths[dones])
            self.finished_episodes += zip(*(part.tolist() for part in finished))
            for i in np.flatnonzero(dones):
                self.episode_actions[i] = []
            self.episode_returns[dones], self.episode_lengths[dones] = 0, 0
            self.episode_counts[dones] += 1
            self._reset_observations(dones)
        terminated = step.terminated if step.life_lost is None else step.terminated | step.life_lost
        rewards = np.clip(step.rewards, -self.reward_clip, self.reward_clip) if self.reward_clip else step.rewards
        return StepResult(rewards, terminated, truncated & ~terminated, next_observations, dones, step.x_position)

    def metrics(self) -> dict[str, float]:
        """Mean return and length of the episodes that ended since the last call."""
        finished, self.finished_episodes = self.finished_episodes, []
        return episode_metrics(finished)

    def state_dict(self) -> dict:
        return {
            "episode_counts": torch.from_numpy(self.episode_counts.copy()),
            "episode_actions": [torch.from_numpy(np.array(actions)) for actions in self.episode_actions],
            "finished_episodes": [list(episode) for episode in self.finished_episodes],
            "observations": torch.from_numpy(self.observations.copy()),
        }

    def load_state_dict(self, state: dict) -> None:
        check_kind(state, RunnerState)
        num_envs, saved_num_envs = self.env.num_envs, len(state["episode_counts"])
        if saved_num_envs != num_envs:
            raise CaudexError(
                f"the checkpoint has {saved_num_envs} environments, not {num_envs}; environments must be {saved_num_envs} again."
            )
        saved_observations = state["observations"].numpy()
        if saved_observations.shape[1:] != self.observation_shape:
            raise CaudexError(
                f"the environment {self.env.name} shows {self.observation_shape} now, and {saved_observations.shape[1:]} in "
                "the checkpoint; it has changed, begin a new run."
            )
        self._check_state(state)
        self.episode_counts = state["episode_counts"].numpy().copy()
        self.finished_episodes = [tuple(episode) for episode in state["finished_episodes"]]
        self.episode_actions = [list(actions.numpy()) for actions in state["episode_actions"]]
        self._replay_episodes()
        if not np.array_equal(self.observations, saved_observations):
            if self.env.deterministic:
                raise CaudexError(
                    f"the environment {self.env.name} does not repeat itself: the same seeds and actions show something else "
                    "than in the checkpoint; begin a new run."
                )
            self.episode_counts += 1
            self.episode_actions = [[] for _ in self.episode_actions]
            self.episode_returns[:], self.episode_lengths[:] = 0, 0
            self._reset_observations(np.ones(num_envs, bool))

    def _check_state(self, state: dict) -> None:
        """Raises ValueError for arrays of another kind, and for actions that are none."""
        num_envs, space = self.env.num_envs, self.env.action_space
        idle = torch.from_numpy(self._idle_actions())[0]
        options = getattr(space, "nvec", getattr(space, "n", None))  # None: vectors
        check_tensor("episode_counts", state["episode_counts"], torch.int64, (num_envs,))
        observations = torch.from_numpy(self.observations)
        check_tensor("observations", state["observations"], observations.dtype, observations.shape)
        if len(state["episode_actions"]) != num_envs or (state["episode_counts"] < 0).any():
            raise ValueError("its environments are others")
        for actions in state["episode_actions"]:
            if len(actions):  # a list without any is of another dtype
                check_tensor("actions", actions, idle.dtype, (len(actions), *idle.shape))
                if options is not None and not ((actions >= 0) & (actions < torch.as_tensor(options))).all():
                    raise ValueError("its actions are not those of the environment")

    def _replay_episodes(self) -> None:
        """Play the running episodes again; all end at the same time, so the shorter ones begin later."""
        self.episode_lengths = np.array([len(actions) for actions in self.episode_actions])
        self.episode_returns[:] = 0
        longest = int(self.episode_lengths.max())
        for t in range(longest + 1):
            if (begins := self.episode_lengths == longest - t).any():
                self._reset_observations(begins)
            if t < longest:
                live = self.episode_lengths >= longest - t
                actions = [
                    episode[len(episode) - longest + t] if is_live else idle
                    for episode, is_live, idle in zip(self.episode_actions, live, self._idle_actions())
                ]
                step = self.env.step(np.stack(actions))
                self.episode_returns += np.where(live, step.rewards, 0)
                self.observations = self._push_frames(step.observations)
                if (idle_dones := (step.terminated | step.truncated) & ~live).any():
                    self._reset_observations(idle_dones)

    def _reset(self, mask: np.ndarray) -> np.ndarray:
        seeds = [derive_seed(self.seed, "episode", i, int(number)) for i, number in enumerate(self.episode_counts)]
        frames = self.env.reset(np.array(seeds), mask)
        if frames.dtype.kind == "f":
            check_finite(self.env.name, [frames[mask]], " as an episode began")
        return frames

    def _reset_observations(self, mask: np.ndarray) -> None:
        frames = self._reset(mask)[mask]
        self.observations = self.observations.copy()
        self.observations[mask] = np.tile(frames, (1, self.frame_stack, 1, 1)) if self.frame_stack > 1 else frames

    def _push_frames(self, frames: np.ndarray) -> np.ndarray:
        """The observations with these frames as the latest."""
        if self.frame_stack == 1:
            return frames
        return np.concatenate([self.observations[:, frames.shape[1] :], frames], 1)

    def _idle_actions(self) -> np.ndarray:
        """Zeros, or the first actions that are allowed."""
        space, num_envs = self.env.action_space, self.env.num_envs
        if self.mask_size:
            return best_choices(self.observations[:, -self.mask_size :], space)
        return np.zeros((num_envs, *space.shape), space.dtype if space.shape else np.int64)


def episode_metrics(finished_episodes: list[tuple[int, float, int]]) -> dict[str, float]:
    """Mean return and length of `EnvRunner.finished_episodes`."""
    if not finished_episodes:
        return {}
    _, returns, lengths = zip(*finished_episodes)
    return {"episodes/return": float(np.mean(returns)), "episodes/length": float(np.mean(lengths))}
