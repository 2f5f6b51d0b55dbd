"""Atari games, many at once, by ale-py's own vector environment."""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.envs.env import Env, TimeStep


class AtariEnv(Env):
    """`num_envs` games ALE/NAME-v5 or -v4: grey frames uint8 [1, 84, 84], the maximum of the last two of four for each action; `EnvRunner` stacks them.

    v5 (Machado et al. 2018, section 5): an action is repeated by chance one time in four. v4 (Mnih et al. 2015): nothing
    happens by chance, but up to 30 no-ops begin a game, and learners treat a lost life as its end. Both have the minimal
    action set of the game, and play until it is over; to be compared for five minutes at most (Mnih et al. 2015, table 2),
    as a policy that waits may never end. Rewards are the game's own; learners clip them to -1 and 1, as published. Raises
    CaudexError for an unknown game.
    """

    reward_clip, max_episode_steps, render_fps = 1.0, 4500, 15  # of sixty frames a second every fourth

    def __init__(self, name: str, num_envs: int):
        games, newest = atari_games(), name.removesuffix("-v4") + "-v5" * name.endswith("-v4")
        if not games:
            raise CaudexError(f"{name} needs the package ale-py: pip install 'caudex[control]'.")
        if newest not in games:
            raise CaudexError(
                f"{name!r} is no game of ale-py.{did_you_mean(name, games)} `caudex list envs` shows all."
            )
        import ale_py

        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
        self.name, self.num_envs, self.is_v4 = name, num_envs, name.endswith("-v4")
        self.games = ale_py.AtariVectorEnv(
            games[newest], num_envs, stack_num=1, autoreset_mode="SameStep", reward_clipping=False,
            noop_max=30 if self.is_v4 else 0, use_fire_reset=False,
            repeat_action_probability=0.0 if self.is_v4 else 0.25,
        )  # fmt: skip
        self.observation_space, self.action_space = self.games.single_observation_space, self.games.single_action_space
        self.frames, self.lives = None, np.zeros(num_envs, np.int32)

    def reset(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        options = {} if self.frames is None else {"options": {"reset_mask": mask}}
        frames, infos = self.games.reset(seed=(seeds % (1 << 31))[mask if options else slice(None)], **options)
        self.frames = frames if self.frames is None else np.where(mask[:, None, None, None], frames, self.frames)
        self.lives = np.where(mask, infos["lives"], self.lives)
        return self.frames.copy()

    def step(self, actions: np.ndarray) -> TimeStep:
        frames, rewards, terminated, truncated, infos = self.games.step(actions)
        dones = terminated | truncated
        if dones.any():  # ale-py has reset these: their last observations stand apart
            frames = np.where(dones[:, None, None, None], infos["final_obs"].reshape(frames.shape), frames)
        self.frames = frames
        life_lost, self.lives = ~dones & (infos["lives"] < self.lives), infos["lives"].copy()
        return TimeStep(
            frames.copy(), rewards.astype(float), terminated, truncated & ~terminated, life_lost if self.is_v4 else None
        )

    def render(self) -> np.ndarray:
        return np.repeat(self.frames[0].transpose(1, 2, 0), 3, 2)

    def close(self) -> None:
        self.games.close()


def atari_games() -> dict[str, str]:
    """ALE/NAME-v5 to the name of its file; nothing where ale-py is not installed."""
    try:
        from ale_py import roms
    except ImportError:
        return {}
    return {f"ALE/{''.join(part.capitalize() for part in rom.split('_'))}-v5": rom for rom in roms.get_all_rom_ids()}
