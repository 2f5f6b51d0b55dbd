"""Steps of the environment a second in training, beside Stable-Baselines3: same nets, batches, environments and threads; results/reward.csv.

    pip install stable-baselines3
    python benchmarks/reward.py            # about a quarter of an hour; on a machine that does nothing else

Both train in turns in one process, the first turn of each is thrown away; the ratio is that of the medians. With one
thread of torch, and with two; the documents take the better of both for each. Ours also standardises observations and scales
rewards with PPO, theirs does not.
"""

import csv
import statistics
import tempfile
import time
from pathlib import Path

import gymnasium
import numpy as np
import torch
from stable_baselines3 import DQN as SB3DQN
from stable_baselines3 import PPO as SB3PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv
from torch import nn

from caudex import envs
from caudex.core.fit import fit
from caudex.core.run import Run
from caudex.experience import Rollouts
from caudex.systems.reward.dqn import DQN
from caudex.systems.reward.ppo import PPO

TURNS, COUNT, THREADS = 6, 8, (1, 2)
PPO_ENVS = {"CartPole-v1": 40_960, "Pendulum-v1": 40_960, "HalfCheetah-v5": 20_480, "MinAtar/Breakout-v1": 20_480}
DQN_STEPS = 8_000


class SmallCNN(BaseFeaturesExtractor):
    """The convolutions that ours has for frames of ten pixels."""

    def __init__(self, space):
        super().__init__(space, 128)
        height, width, channels = space.shape
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * (height - 2) * (width - 2), 128),
            nn.ReLU(),
        )

    def forward(self, frames):
        return self.body(frames.permute(0, 3, 1, 2).contiguous().float())  # as their own trunk has it: faster


def train_ppo(env: str, steps: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder, 0)
        run.quiet = True
        system = PPO(env=env, total_steps=steps, num_envs=COUNT)
        runner, spec = system.make_envs(run)
        learner = system.learner(spec)
        source = Rollouts(
            runner, learner, "policy", system.horizon, system.batch, system.epochs, normalize_rewards=True
        )
        started = time.perf_counter()
        fit(learner, {"policy": source}, samples=steps)
        return source.samples_seen / (time.perf_counter() - started)


def train_sb3_ppo(env: str, steps: int) -> float:
    vec_env = DummyVecEnv([lambda: gymnasium.make(env) for _ in range(COUNT)])
    if len(vec_env.observation_space.shape) == 3:
        policy = {"features_extractor_class": SmallCNN, "net_arch": [], "normalize_images": False}
    else:
        policy = {"net_arch": {"pi": [64, 64], "vf": [64, 64]}}
    system = PPO()
    model = SB3PPO(
        "CnnPolicy" if len(vec_env.observation_space.shape) == 3 else "MlpPolicy", vec_env, n_steps=system.horizon, batch_size=system.batch,
        n_epochs=system.epochs, policy_kwargs=policy, device="cpu",
    )  # fmt: skip
    started = time.perf_counter()
    model.learn(steps)
    return model.num_timesteps / (time.perf_counter() - started)


def train_dqn(env: str, steps: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder, 0)
        run.quiet = True
        system = DQN(env=env, total_steps=steps, num_envs=1, train_freq=1, learning_starts=100, n_step=1)
        runner, spec = system.make_envs(run)
        learner = system.learner(spec)
        source = system.source(runner, learner, run)
        started = time.perf_counter()
        fit(learner, {"policy": source}, samples=steps)
        return source.samples_seen / (time.perf_counter() - started)


def train_sb3_dqn(env: str, steps: int) -> float:
    model = SB3DQN(
        "MlpPolicy", gymnasium.make(env), learning_starts=100, batch_size=DQN.batch, train_freq=1, gradient_steps=1,
        policy_kwargs={"net_arch": [128, 128]}, device="cpu",
    )  # fmt: skip
    started = time.perf_counter()
    model.learn(steps)
    return model.num_timesteps / (time.perf_counter() - started)


def main() -> None:
    envs.register_envs("MinAtar/Breakout-v1")
    jobs = [("ppo", env, steps, train_ppo, train_sb3_ppo) for env, steps in PPO_ENVS.items()]
    jobs.append(("dqn", "CartPole-v1", DQN_STEPS, train_dqn, train_sb3_dqn))
    rows = []
    for name, env, steps, train, train_sb3 in jobs:
        speeds: dict[tuple, list[float]] = {}
        for _ in range(TURNS):
            for threads in THREADS:
                torch.set_num_threads(threads)
                for library, measure in {"caudex": train, "stable-baselines3": train_sb3}.items():
                    speeds.setdefault((library, threads), []).append(measure(env, steps))
        for threads in THREADS:
            rates, sb3_rates = (speeds[library, threads][1:] for library in ("caudex", "stable-baselines3"))
            ratios = np.array(rates) / np.array(sb3_rates)
            medians = statistics.median(rates), statistics.median(sb3_rates)
            ratio_range = (medians[0] / medians[1], ratios.min(), ratios.max())
            rows.append((name, env, threads, *map(round, medians), *(round(float(x), 2) for x in ratio_range)))
            print(*rows[-1], flush=True)
    with Path("results/reward.csv").open("w", newline="") as file:
        header = ("system", "env", "threads", "steps/s", "stable-baselines3 steps/s", "ratio", "lowest", "highest")
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
