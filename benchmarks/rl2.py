"""Pulls a second in training to learn bandits of 10 arms, beside sb3-contrib's RecurrentPPO; writes results/rl2-speed.csv.

    pip install sb3-contrib
    python benchmarks/rl2.py               # on a machine that does nothing else
    python benchmarks/rl2.py 2             # two turns instead of six: does it work?

Both train in turns in one process, the first turn of each is thrown away; the ratio is that of the medians, lowest and
highest are over the turns. A trial is 100 pulls, a round one trial of each task, learned from in 2 passes of batches of 25
trials. What is remembered has the same width, one memory serves policy and value, and no layer stands behind it; ours is a
GRU, theirs an LSTM, which has a third more weights. Theirs acts in Gymnasium environments in this process (`DummyVecEnv`; a
pull is too short for processes of their own): 500, as many as ours has tasks, 100, and 8, as is common, of
which a round is one batch. With one thread of torch, and with two.
"""

import csv
import statistics
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.vec_env import DummyVecEnv

from caudex.core.fit import fit
from caudex.core.specs import EnvSpec
from caudex.envs.meta import trials
from caudex.experience import Histories
from caudex.systems.meta.rl2 import RL2

TURNS = int(sys.argv[1]) if len(sys.argv) > 1 else 6
THREADS, SIDE_BY_SIDE = (1, 2), (8, 100, 500)
SYSTEM = RL2(arms=10, pulls=100)


class Bandit(gymnasium.Env):
    """A trial as an episode: new arms at its beginning; seen are the last arm, what it paid, and whether one came before."""

    observation_space, action_space = Box(0, 1, (SYSTEM.arms + 2,), np.float32), Discrete(SYSTEM.arms)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.means, self.pulled = self.np_random.random(SYSTEM.arms), 0
        return np.zeros(SYSTEM.arms + 2, np.float32), {}

    def step(self, arm):
        reward, observation = float(self.np_random.random() < self.means[arm]), np.zeros(SYSTEM.arms + 2, np.float32)
        observation[arm], observation[-2:] = 1, (reward, 1)
        self.pulled += 1
        return observation, reward, self.pulled == SYSTEM.pulls, False, {}


def train_rl2() -> float:
    env = trials.make_trials("bandits", SYSTEM.tasks, **SYSTEM.task_settings())
    learner = SYSTEM.learner(EnvSpec("", env.family.observation_space.shape, env.actions))
    source = Histories(env, learner, "policy", SYSTEM.batch, SYSTEM.epochs, SYSTEM.gamma, SYSTEM.gae_lambda)
    started = time.perf_counter()
    fit(learner, {"policy": source}, samples=SYSTEM.tasks * SYSTEM.pulls)  # one round
    return source.samples_seen / (time.perf_counter() - started)


def train_recurrent_ppo(num_envs: int) -> float:
    model = RecurrentPPO(
        "MlpLstmPolicy", DummyVecEnv([Bandit] * num_envs), SYSTEM.lr, SYSTEM.pulls, min(SYSTEM.batch, num_envs) * SYSTEM.pulls, SYSTEM.epochs,
        SYSTEM.gamma, SYSTEM.gae_lambda, SYSTEM.clip_range, device="cpu",
        policy_kwargs={
            "lstm_hidden_size": SYSTEM.width, "net_arch": [], "shared_lstm": True, "enable_critic_lstm": False,
        },
    )  # fmt: skip
    started = time.perf_counter()
    model.learn(num_envs * SYSTEM.pulls)
    return model.num_timesteps / (time.perf_counter() - started)


def main() -> None:
    speeds: dict[tuple, list[float]] = {}
    for _ in range(TURNS):
        for threads in THREADS:
            torch.set_num_threads(threads)
            speeds.setdefault((0, threads), []).append(train_rl2())
            for num_envs in SIDE_BY_SIDE:
                speeds.setdefault((num_envs, threads), []).append(train_recurrent_ppo(num_envs))
    rows = []
    for threads in THREADS:
        rates = {num_envs: speeds[num_envs, threads][1:] for num_envs in (0, *SIDE_BY_SIDE)}  # 0: ours
        for num_envs in SIDE_BY_SIDE:
            rate, peer_rate = statistics.median(rates[0]), statistics.median(rates[num_envs])
            ratios = np.array(rates[0]) / np.array(rates[num_envs])
            ratio_range = (round(float(x), 2) for x in (rate / peer_rate, ratios.min(), ratios.max()))
            rows.append((threads, round(rate), num_envs, round(peer_rate), *ratio_range))
            print(*rows[-1], flush=True)
    with Path("results/rl2-speed.csv").open("w", newline="") as file:
        header = ("threads", "steps/s", "sb3-contrib environments", "sb3-contrib steps/s", "ratio", "lowest", "highest")
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
