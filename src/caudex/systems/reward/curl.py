"""curl: learn to act from images, with contrast on the same trunk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

from caudex import envs as envs
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.signal import Signal
from caudex.core.specs import EnvSpec
from caudex.core.system import System, check_range
from caudex.core.trunk import Trunk
from caudex.evaluation.claim import Claim
from caudex.experience import Viewed
from caudex.models.agent import Agent
from caudex.signals import BilinearContrast
from caudex.signals.q_learning import QLearning
from caudex.signals.soft_actor_critic import SoftActorCritic
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnReplay
from caudex.trunks import NatureCNN
from caudex.trunks.nature import EFFICIENT_LAYERS
from caudex.views import Cutout, GaussianBlur, GaussianNoise, RandomShift

LAYERS = ((16, 3, 2), (32, 3, 2), (32, 3, 1))
"""(channels, kernel, stride) for robots in frames of 48 pixels; the published encoder, for 84, is `PUBLISHED`"""
PUBLISHED = ((32, 3, 2), (32, 3, 1), (32, 3, 1), (32, 3, 1))
VIEWS = {"moved": None, "blurred": GaussianBlur((0.1, 2.0), 1.0), "noisy": GaussianNoise(0.1), "cut": Cutout(0.3)}
SHARED = ("total_steps", "batch", "lr", "width", "temperature", "seed", "every", "learning_starts", "n_step")
"""settings of curl that SAC from the state is given, too"""
DMCONTROL = {"env": "dm_control/cartpole-swingup-v0", "batch": 512, "width": 1024, "moved": 8, "n_step": 1}
"""100,000 steps of the simulator are 12,500 of the agent there: eight to an action"""


@dataclass
class CURL(OnReplay, System):
    """A robot or a game seen by a camera, and its reward: SAC or Rainbow, and contrast of what was seen, on one trunk
    (Laskin et al. 2020).

    Each image is encoded once for all heads. `caudex play RUN --video out.mp4` shows what it learned.
    """

    env: str = "pixels/hopper"
    size: int = 0
    """pixels of an image's side, of environments that a camera sees; 0: 48, and 84 of dm_control"""
    total_steps: int = 15_000
    num_envs: int = 1
    stack: int = 3
    batch: int = 64
    every: int = 1
    lr: float = 1e-3
    temperature: float = 0.1
    """what entropy is worth at first"""
    contrast: float = 1.0
    """weight of the contrast; 0 leaves it out"""
    view: Literal["moved", "blurred", "noisy", "cut"] = "moved"
    """what two views of the same frames differ in: their place, sharpness, noise, or a hidden square"""
    moved: int = 4
    """with --view moved: pixels, at most, and a twelfth of the side; 0 leaves images as they are"""
    bilinear: bool = True
    """the similarity is learned; else it is the cosine"""
    momentum: float = 0.975
    """of the slow copy that makes the keys; 0 takes them from the trunk itself"""
    features: int = 50
    """numbers that stand for an image, of each head by itself"""
    width: int = 256
    """units of each of the two layers of policy and critics; of the one layer of Rainbow's heads"""
    n_step: int = 3
    """rewards that are added up before the slow copy tells what follows"""
    target_interval: int = 2000
    """for games: optimiser steps from one slow copy to the next"""

    scales: ClassVar = {
        "tiny": {"total_steps": 600, "learning_starts": 200, "batch": 16, "width": 32},
        "dmcontrol-100k": DMCONTROL | {"total_steps": 12_500},
        "dmcontrol-500k": DMCONTROL | {"total_steps": 62_500},
        "atari-100k": {
            "env": "ALE/Breakout-v4", "total_steps": 100_000, "stack": 4, "batch": 32, "learning_starts": 1600, "lr": 1e-4, "width": 256,
            "n_step": 20, "target_interval": 2000, "momentum": 0.999, "features": 128,
        },
    }  # fmt: skip
    statement: ClassVar = "with contrast on its trunk, learning from images comes nearer to learning from the state"

    def train(self, run: Run) -> Agent:
        runner, spec = reward.make_envs(self, run, envs.with_camera(self.env, self.size))
        if len(spec.shape) < 3:
            raise CaudexError(
                f"{self.env} shows numbers, curl learns from images; take sac, or an environment of pixels/."
            )
        with run.seeded("weights"):
            learner = self.learner(spec)
        game = spec.actions.count
        priority = {"priority": 0.5} if game else {}
        replay = reward.replay_source(self, runner, learner, run, steps=self.n_step, **priority)
        side = min(spec.shape[1:])
        view = VIEWS[self.view] or RandomShift(min(self.moved, max(1, side // 12)))
        source = Viewed(replay, view, run.seed, instead=True)
        reward.record_spec(run, spec)
        fit(learner, dict.fromkeys(learner.signals, source), **self.budget(1.0), run=run.stage("training"))
        return reward.finish(Agent(learner, spec), run)

    def learner(self, spec: EnvSpec) -> Learner:
        signals = {"policy": self.policy(spec.actions)}
        if self.contrast:
            signals["contrast"] = BilinearContrast(self.momentum or None, self.bilinear, feature_dim=self.features)
            signals["contrast"].weight = self.contrast
        trunk = self.trunk(spec.shape, spec.actions.count)
        return Learner(trunk, self.with_extra_signals(signals, spec), partial(Adam, lr=self.lr), max_grad_norm=None)

    def policy(self, actions: dict) -> Signal:
        """SAC for robots; where one chooses among actions, all of Rainbow."""
        if actions.count:
            return QLearning(
                actions.count, (self.width,), True, True, True, num_atoms=51, target_interval=self.target_interval
            )
        return SoftActorCritic(actions, (self.width, self.width), self.temperature, feature_dim=self.features)

    def trunk(self, shape: tuple[int, int, int], game: bool) -> Trunk:
        side = min(shape[1:])
        layers = None if side < 36 else EFFICIENT_LAYERS if game else PUBLISHED if side >= 84 else LAYERS
        return NatureCNN(shape, 0, layers)

    def claim(self, run: Run) -> Claim:
        """Against SAC or Rainbow from the same images, with the same network and steps; beside it SAC from the state."""
        self.train(run)
        plain = replace(self, contrast=0.0, view="moved", moved=0)
        plain.train(run.stage("pictures"))
        earned = {"curl": run, "without contrast, from images as they are": run.stage("pictures")}
        if numbers := envs.without_camera(envs.with_camera(self.env)):
            shared = {name: getattr(self, name) for name in SHARED}
            state = find_class("systems", "sac")(env=numbers, num_envs=1, **shared)
            state.train(run.stage("state"))
            earned["sac from the state"] = run.stage("state")
        found = {name: each.read_json("results")["policy"]["return"] for name, each in earned.items()}
        extra_signals = {"random": run.read_json("results")["random"]["return"]}
        extra_signals |= {name: found.pop(name) for name in ("sac from the state",) if name in found}
        return Claim(self.statement, found.pop("curl"), found, extra_signals)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_replay(self)
        check_range(
            self, temperature=(1e-6, 1e6), contrast=(0, 1e6), moved=(0, 1000), momentum=(0, 1), features=(1, 1 << 16)
        )
        check_range(self, width=(1, 1 << 16), target_interval=(1, float("inf")), n_step=(1, 1000))
