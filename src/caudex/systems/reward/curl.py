"""curl: learn to act from images, with contrast on the same trunk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

from caudex import envs
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.signal import Signal
from caudex.core.specs import EnvSpec
from caudex.core.trunk import Trunk
from caudex.evaluation.claim import Claim
from caudex.experience import AugmentedSource, EnvRunner, ReplaySource
from caudex.signals import BilinearContrast
from caudex.signals.q_learning import QLearning
from caudex.signals.soft_actor_critic import SoftActorCritic
from caudex.systems.reward.observation_trunk import observation_trunk
from caudex.systems.reward.off_policy import OffPolicySystem
from caudex.systems.reward.sac import SAC
from caudex.systems.reward.shared import check_continuous
from caudex.trunks.nature import EFFICIENT_LAYERS
from caudex.views import Cutout, GaussianBlur, GaussianNoise, RandomShift

LAYERS = ((16, 3, 2), (32, 3, 2), (32, 3, 1))
"""(channels, kernel, stride) for robots in frames of 48 pixels; the published encoder, for 84, is `PUBLISHED_LAYERS`"""
PUBLISHED_LAYERS = ((32, 3, 2), (32, 3, 1), (32, 3, 1), (32, 3, 1))
VIEWS = {"shift": None, "blur": GaussianBlur((0.1, 2.0), 1.0), "noise": GaussianNoise(0.1), "cutout": Cutout(0.3)}
SAC_SETTINGS = (
    "total_steps",
    "batch",
    "lr",
    "hidden",
    "temperature",
    "seed",
    "train_freq",
    "learning_starts",
    "n_step",
)
"""settings that SAC from the state shares with curl"""
DMCONTROL = {"env": "dm_control/cartpole-swingup-v0", "batch": 512, "hidden": (1024, 1024), "max_shift": 8, "n_step": 1}
"""an action lasts eight steps of the simulator there: 100,000 are 12,500 actions"""


@dataclass
class CURL(OffPolicySystem):
    """A robot or a game seen by a camera, and its reward: SAC or Rainbow with a contrastive loss on the same trunk
    (Laskin et al. 2020).

    Each image is encoded once for all heads. `caudex play RUN --video out.mp4` shows what it learned.
    """

    env: str = "pixels/hopper"
    size: int = 0
    """pixels of an image's side, where a camera sees the environment; 0: 48, and 84 of dm_control"""
    total_steps: int = 15_000
    num_envs: int = 1
    frame_stack: int = 3
    batch: int = 64
    train_freq: int = 1
    lr: float = 1e-3
    temperature: float = 0.1
    """weight of the entropy at first; it is learned"""
    contrast_weight: float = 1.0
    """weight of the contrastive loss; 0 leaves it out"""
    view: Literal["shift", "blur", "noise", "cutout"] = "shift"
    """augmentation of each view: a random shift, blur, noise, or a hidden square"""
    max_shift: int = 4
    """with --view shift: at most so many pixels, and a twelfth of the side; 0 does not shift"""
    bilinear: bool = True
    """learn a bilinear similarity; else it is the cosine"""
    momentum: float = 0.975
    """of the key encoder; 0 takes the keys from the trunk itself"""
    feature_dim: int = 50
    """features of an image in each head"""
    hidden: tuple[int, ...] = ()
    """units of each hidden layer of policy and critics, behind the trunk's convolutions; none given: 256 256, and 256 for Rainbow"""
    n_step: int = 3
    """rewards that are summed before the target network is asked"""
    target_interval: int = 2000
    """in games: optimiser steps between two updates of the target network"""

    scales: ClassVar = {
        "tiny": {"total_steps": 600, "learning_starts": 200, "batch": 16, "hidden": (32, 32)},
        "dmcontrol-100k": DMCONTROL | {"total_steps": 12_500},
        "dmcontrol-500k": DMCONTROL | {"total_steps": 62_500},
        "atari-100k": {
            "env": "ALE/Breakout-v4", "total_steps": 100_000, "frame_stack": 4, "batch": 32, "learning_starts": 1600, "lr": 1e-4,
            "hidden": (256,), "n_step": 20, "target_interval": 2000, "momentum": 0.999, "feature_dim": 128,
        },
    }  # fmt: skip
    statement: ClassVar = "with contrast on its trunk, learning from images comes nearer to learning from the state"

    def learner(self, spec: EnvSpec) -> Learner:
        signals = {"policy": self.policy(spec)}
        if self.contrast_weight:
            signals["contrast"] = BilinearContrast(self.momentum or None, self.bilinear, feature_dim=self.feature_dim)
            signals["contrast"].weight = self.contrast_weight
        signals = self.with_extra_signals(signals, spec)
        return Learner(self.trunk(spec), signals, partial(Adam, lr=self.lr), max_grad_norm=None)

    def policy(self, spec: EnvSpec) -> Signal:
        """SAC for continuous actions, Rainbow for discrete ones."""
        if count := spec.actions.count:
            return QLearning(
                count, self.hidden_layers(spec), True, True, True, num_atoms=51, target_interval=self.target_interval
            )
        return SoftActorCritic(spec.actions, self.hidden_layers(spec), self.temperature, feature_dim=self.feature_dim)

    def hidden_layers(self, spec: EnvSpec) -> tuple[int, ...]:
        return self.hidden or ((256,) if spec.actions.count else (256, 256))

    def trunk(self, spec: EnvSpec) -> Trunk:
        robot_layers = PUBLISHED_LAYERS if min(spec.shape[1:]) >= 84 else LAYERS
        layers = EFFICIENT_LAYERS if spec.actions.count else robot_layers
        return observation_trunk(spec, 0, layers, normalise=False)

    def source(self, runner: EnvRunner, learner: Learner, run: Run) -> ReplaySource:
        priority = 0.5 if runner.env.actions.count else 0.0
        return super().source(runner, learner, run, n_step=self.n_step, priority=priority)

    def add_views(self, source: ReplaySource, learner: Learner, spec: EnvSpec, run: Run) -> AugmentedSource:
        """Every signal sees augmented frames, the contrast two views of each."""
        view = VIEWS[self.view] or RandomShift(min(self.max_shift, max(1, min(spec.shape[1:]) // 12)))
        return AugmentedSource(source, view, run.seed, replace_observations=True)

    def env_name(self) -> str:
        return envs.camera_env_name(self.env, self.size)

    def check_env(self, spec: EnvSpec) -> None:
        if spec.layout:
            raise CaudexError(
                f"{self.env} shows more than one image, curl learns from one image alone: leave the rest out by "
                "gymnasium.wrappers.FilterObservation, or take ppo."
            )
        if len(spec.shape) < 3:
            raise CaudexError(
                f"{self.env} shows numbers, curl learns from images; take sac, or an environment of pixels/."
            )
        if not spec.actions.count:
            check_continuous(spec, "curl")

    def claim(self, run: Run) -> Claim:
        """Against SAC or Rainbow from the same images, with the same network and steps; also reported, SAC from the state."""
        self.train(run)
        without_contrast = run.stage("pictures")
        replace(self, contrast_weight=0.0, view="shift", max_shift=0).train(without_contrast)
        extra_metrics = {"random": run.read_json("results")["random"]["return"]}
        if state_env := envs.state_env_name(envs.camera_env_name(self.env)):
            state = run.stage("state")
            SAC(env=state_env, num_envs=1, **{name: getattr(self, name) for name in SAC_SETTINGS}).train(state)
            extra_metrics["sac from the state"] = policy_return(state)
        baselines = {"without contrast, from images as they are": policy_return(without_contrast)}
        return Claim(self.statement, policy_return(run), baselines, extra_metrics, {"random": extra_metrics["random"]})

    def check(self) -> None:
        super().check()
        check_range(self, temperature=(1e-6, 1e6), contrast_weight=(0, 1e6), max_shift=(0, 1000), momentum=(0, 1))
        check_range(self, feature_dim=(1, 1 << 16), target_interval=(1, float("inf")))
        check_range(self, n_step=(1, 1000))


def policy_return(run: Run) -> float:
    """The mean return of a finished run's policy."""
    return run.read_json("results")["policy"]["return"]
