"""The result of training in an environment: a trunk and a policy that acts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caudex import envs
from caudex.core.errors import CaudexError, EnvError
from caudex.core.learner import Learner
from caudex.core.specs import EnvSpec, mask_size
from caudex.envs.adapters.native_spaces import NativeSpaces
from caudex.experience import EnvRunner, Episode, Frame, Recording, play_episodes, record_episode
from caudex.models.policy_export import export_policy


class Agent(nn.Module):
    """Observations to actions, by the signal `policy` of a learner. Uses the averaged weights where they are kept."""

    def __init__(self, learner: Learner, spec: EnvSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.spec, self.env, self.frame_stack = spec, spec.env, spec.frame_stack
        self.shape, self.actions, self.layout = spec.shape, spec.actions, spec.layout

    @torch.inference_mode()
    def act(self, observations: np.ndarray | Tensor, greedy: bool = True) -> np.ndarray:
        """Actions for the environment from observations [N, ...]; `greedy` takes the likeliest, else they are sampled."""
        if observations.shape[1:] != self.shape:
            raise CaudexError(
                f"observations of shape {tuple(observations.shape[1:])} are not those of {self.env}, where this was learned from "
                f"{self.shape}; if the environment has changed, train anew."
            )
        on_device = torch.as_tensor(observations, device=next(self.parameters()).device)
        return self.signals["policy"].act(self.trunk, on_device, greedy).cpu().numpy()

    def predict(
        self,
        observation: Any,
        state: np.ndarray | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = True,
        action_masks: Any = None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """(actions, state) from what the environment returns, one observation or several along a first axis, as in Stable-Baselines3.

        Actions are of the environment's own dtype and shape. `state` is that of the last call, the frames that are stacked; None begins
        an episode, and so does True in `episode_start` for each of several. `action_masks`: info["action_mask"], where there are any.
        """
        try:
            frames, is_batch = self.native_spaces.to_rows(observation, action_masks)
        except EnvError as error:  # of the converters, which speak of the environment
            raise CaudexError(re.sub("^the environment .*? (showed|gave) ", "predict was given ", str(error))) from None
        stacked = self.stack_frames(frames, state, episode_start) if self.frame_stack > 1 else frames
        actions = self.native_spaces.to_native(self.act(stacked, deterministic))
        return actions if is_batch else actions[0], stacked if self.frame_stack > 1 else None

    def stack_frames(
        self, frames: np.ndarray, state: np.ndarray | None, episode_start: np.ndarray | None
    ) -> np.ndarray:
        """The last frames of each episode, [N, C * frame_stack, H, W]; the first one repeated where it begins."""
        first = np.tile(frames, (1, self.frame_stack, 1, 1))
        if state is None:
            return first
        if state.shape != first.shape:
            raise CaudexError(
                f"the state has the shape {state.shape}, these observations need {first.shape}; give the one that predict returned "
                "for the observations before them, or None."
            )
        begins = (
            np.zeros(len(frames), bool)
            if episode_start is None
            else np.reshape(episode_start, len(frames)).astype(bool)
        )
        return np.where(begins[:, None, None, None], first, np.concatenate([state[:, frames.shape[1] :], frames], 1))

    def export(self, folder: Path) -> list[Path]:
        """model.onnx, what the environment returns to the likeliest action (`ExportedPolicy`)."""
        return export_policy(self.trunk, self.signals["policy"], self.spec, self.native_spaces, folder)

    @cached_property
    def native_spaces(self) -> NativeSpaces:
        return NativeSpaces(self.spec)

    def act_blindly(self, observations: np.ndarray) -> np.ndarray:
        """The likeliest actions where every observation is zeros but for its mask: a baseline."""
        blind, size = np.zeros_like(observations), mask_size(self.layout)
        if size:
            blind[:, -size:] = observations[:, -size:]
        return self.act(blind)

    def evaluate(self, env: Any = None, episodes: int = 20, seed: int = 0, deterministic: bool = True) -> np.ndarray:
        """The returns of so many episodes, in its own environment or in `env`: an id, an environment, its class, or a function that
        makes one."""
        with envs.temporary_name(self.env if env is None else env) as name:
            return self.play(episodes, seed, deterministic, name)

    def play(
        self, count: int = 20, seed: int = 0, greedy: bool = True, env: str | None = None, silent: bool = False
    ) -> np.ndarray:
        """The returns of `count` episodes, [count]; the same seed begins the same episodes."""
        return np.array([episode.total_reward for episode in self.play_episodes(count, seed, greedy, env, silent)])

    def play_episodes(
        self, count: int = 20, seed: int = 0, greedy: bool = True, env: str | None = None, silent: bool = False,
        recording: Recording | None = None,
    ) -> list[Episode]:  # fmt: skip
        """The statistics of `count` episodes, which `recording` keeps whole; the same seed begins the same episodes."""
        with self.seeded_policy(seed, greedy, env) as policy:
            return play_episodes(env or self.env, policy, count, seed, self.frame_stack, silent, recording=recording)

    @contextmanager
    def seeded_policy(self, seed: int, greedy: bool, env: str | None) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        """`act`, whose draws follow from the seed; raises CaudexError for another environment than it can act in."""
        self.eval()
        if env:
            self.check_env(env)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield lambda observations: self.act(observations, greedy)

    def check_env(self, env_name: str) -> None:
        """Raises CaudexError for an environment with other observations or actions than were learned with."""
        env = envs.make(env_name, 1)
        shape, actions, layout = EnvRunner(env, 0, self.frame_stack).observation_shape, env.actions, env.layout
        env.close()
        kinds = [(spec.choices, len(spec.low)) for spec in (actions, self.actions)]
        if shape != self.shape or layout != self.layout or kinds[0] != kinds[1]:
            there = f"{self.env}, where this was learned" if env_name != self.env else "when this was learned"
            raise CaudexError(f"{env_name} has other observations or actions than {there}.")

    def record_images(
        self, seed: int = 0, greedy: bool = True, env: str | None = None, max_frames: int = 0, max_steps: int = 10_000
    ) -> tuple[list[np.ndarray], float, float]:
        """Images uint8 [H, W, 3] of one episode, its return, and images a second; as `record_episode`."""
        frames, episode, fps = self.record_episode(seed, greedy, env, max_frames, max_steps)
        return [frame.image for frame in frames], episode.total_reward, fps

    def record_episode(
        self, seed: int = 0, greedy: bool = True, env: str | None = None, max_frames: int = 0, max_steps: int = 10_000
    ) -> tuple[list[Frame], Episode, float]:
        """Frames of one episode, or of its first `max_steps`; its statistics; frames a second. With `max_frames`, no more than
        twice as many frames, evenly spread in time."""
        with self.seeded_policy(seed, greedy, env) as policy:
            return record_episode(env or self.env, policy, seed, self.frame_stack, max_frames, max_steps)
