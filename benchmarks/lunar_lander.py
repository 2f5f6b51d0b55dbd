"""Steps until LunarLander-v3 is solved, beside Stable-Baselines3 with the settings of rl-zoo; results/lunar-lander.csv.

    pip install stable-baselines3 box2d
    python benchmarks/lunar_lander.py                  # hours; what is done is not done again
    python benchmarks/lunar_lander.py dqn ppo          # these methods alone

Solved: the last 100 training episodes earned 200 on average (what Gymnasium calls solved). Ours are the defaults but for the
number of steps, which is that of rl-zoo's ppo for both: theirs are the settings that its authors chose for this environment.
Both count the same episodes, which the environment itself writes down. One thread, seconds of processor time.
"""

import csv
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DQN as SB3DQN
from stable_baselines3 import PPO as SB3PPO
from stable_baselines3.common.vec_env import DummyVecEnv

from caudex import envs
from caudex.core.fit import fit
from caudex.core.run import Run
from caudex.systems.reward.dqn import DQN
from caudex.systems.reward.ppo import PPO

FILE, COLUMNS = Path("results/lunar-lander.csv"), ("library", "method", "seed", "steps to 200", "steps", "seconds")
SEEDS, MAX_STEPS, SOLVED, EPISODES = range(5), 1_000_000, 200, 100
SB3_PPO = {
    "n_steps": 1024, "batch_size": 64, "gae_lambda": 0.98, "gamma": 0.999, "n_epochs": 4, "ent_coef": 0.01,
}  # fmt: skip
SB3_DQN = {
    "learning_rate": 6.3e-4, "batch_size": 128, "buffer_size": 50_000, "learning_starts": 0, "gamma": 0.99, "target_update_interval": 250,
    "train_freq": 4, "gradient_steps": -1, "exploration_fraction": 0.12, "exploration_final_eps": 0.1, "policy_kwargs": {"net_arch": [256, 256]},
}  # fmt: skip
SB3_DQN_STEPS = 100_000


class SolvedError(BaseException):
    """Stops a training from within its environment."""


class Returns(gymnasium.Wrapper):
    """Counts the steps of all environments together, and stops once the last episodes earned enough."""

    num_steps, latest = 0, deque[float](maxlen=EPISODES)

    @classmethod
    def begin(cls) -> None:
        cls.num_steps, cls.latest = 0, deque(maxlen=EPISODES)

    def reset(self, **options):
        self.total = 0.0
        return super().reset(**options)

    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        self.total += float(reward)
        Returns.num_steps += 1
        if terminated or truncated:
            Returns.latest.append(self.total)
            if len(Returns.latest) == EPISODES and np.mean(Returns.latest) >= SOLVED:
                raise SolvedError
        return observation, reward, terminated, truncated, info


def make_env() -> gymnasium.Env:
    return Returns(gymnasium.make("LunarLander-v3"))


def train_caudex(method: str, seed: int) -> None:
    system = {"ppo": PPO, "dqn": DQN}[method](env=envs.name_env(make_env), total_steps=MAX_STEPS, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder, seed)
        run.quiet = True
        runner, spec = system.make_envs(run)
        with run.seeded("weights"):
            learner = system.learner(spec)
        fit(learner, {"policy": system.source(runner, learner, run)}, samples=MAX_STEPS, run=run.stage("training"))


def train_sb3(method: str, seed: int) -> None:
    if method == "ppo":
        SB3PPO("MlpPolicy", DummyVecEnv([make_env] * 16), seed=seed, device="cpu", **SB3_PPO).learn(MAX_STEPS)
    else:
        SB3DQN("MlpPolicy", make_env(), seed=seed, device="cpu", **SB3_DQN).learn(SB3_DQN_STEPS)


def measure(library: str, method: str, seed: int) -> tuple:
    Returns.begin()
    started, solved_at = time.process_time(), ""
    try:
        {"caudex": train_caudex, "stable-baselines3": train_sb3}[library](method, seed)
    except SolvedError:
        solved_at = Returns.num_steps
    return library, method, seed, solved_at, Returns.num_steps, round(time.process_time() - started, 1)


def main() -> None:
    torch.set_num_threads(1)
    rows = list(csv.reader(FILE.open()))[1:] if FILE.exists() else []
    done = {tuple(row[:3]) for row in rows}
    for seed in SEEDS:
        for method in sys.argv[1:] or ("dqn", "ppo"):
            for library in ("caudex", "stable-baselines3"):
                if (library, method, str(seed)) not in done:
                    rows.append(measure(library, method, seed))
                    print(*rows[-1], flush=True)
                    with FILE.open("w", newline="") as file:
                        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
