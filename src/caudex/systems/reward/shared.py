"""What the systems that learn from reward share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from caudex import envs as envs
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.optim.rmsprop import RMSprop
from caudex.core.run import Run
from caudex.core.signal import Signal
from caudex.core.specs import EnvSpec
from caudex.core.system import check_range
from caudex.core.trunk import Trunk
from caudex.evaluation.claim import Claim
from caudex.evaluation.intervals import t_interval
from caudex.evaluation.plots.contact_sheet import plot_episode
from caudex.experience import EnvRunner, Replay, Rollouts, Viewed
from caudex.models.agent import Agent, at_random
from caudex.signals.policy_gradient import PPOActorCritic
from caudex.signals.q_learning import QLearning
from caudex.trunks import Identity, NatureCNN, ObservationNormaliser
from caudex.trunks.nature import EFFICIENT_LAYERS
from caudex.views import RandomShift

EPISODES = 20
"""played at the end"""
OPTIMIZERS = {"adam": partial(Adam, eps=1.5e-4), "rmsprop": partial(RMSprop, alpha=0.95, eps=0.01, centered=True)}
ENCODERS = {"nature": None, "efficient": EFFICIENT_LAYERS}

ATARI = {
    "env": "ALE/Breakout-v4", "total_steps": 50_000_000, "num_envs": 1, "buffer_size": 1_000_000, "batch": 32, "every": 4, "learning_starts": 50_000,
    "n_step": 1, "target_interval": 10_000, "final_epsilon": 0.1, "exploration_fraction": 0.02, "optimizer": "rmsprop", "lr": 2.5e-4, "clip": 0.0,
}  # fmt: skip
"""settings of deep Q-learning on games of Atari (Mnih et al. 2015, extended data table 1)"""


@dataclass
class OnEnv:
    """What systems that act in an environment have alike: settings, what is told of them, and what is claimed at the least."""

    env: str = "CartPole-v1"
    """name of a Gymnasium environment, as CartPole-v1, HalfCheetah-v5, MinAtar/Breakout-v1, or module:NAME; `caudex list envs` has all"""
    total_steps: int = 100_000
    """steps in the environment, of all environments together"""
    steps: int | None = None
    """stop after so many optimiser steps, where that comes first"""
    num_envs: int = 8
    """environments side by side"""
    stack: int = 4
    """frames seen at once, where the environment shows images of 36 pixels or more"""
    gamma: float = 0.99
    """what a reward is worth one step later"""
    lr: float = 3e-4
    """learning rate"""

    spec_type: ClassVar = EnvSpec
    accepts: ClassVar = ("pairs",)
    number_format: ClassVar = ",.1f"
    measure: ClassVar = "mean return"
    statement: ClassVar = "acting by what was learned earns more than acting at random"

    def budget(self, share: float) -> dict:
        return super().budget(share) | {"samples": self.total_steps}

    def model(self, spec: EnvSpec) -> Agent:
        return Agent(self.learner(spec), spec)

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [(f"{results['episodes']} episodes", "mean return", "95% interval", "worst", "best")]
        return rows + [(name, *told(results[name])) for name in ("policy", "random")]

    def claim(self, run: Run) -> Claim:
        """What training earned, against acting at random."""
        self.train(run)
        found = run.read_json("results")
        return Claim(self.statement, found["policy"]["return"], {"random": found["random"]["return"]})


@dataclass
class OnRollouts(OnEnv):
    """The settings of proximal policy optimisation."""

    horizon: int = 256
    """steps in each environment between two updates"""
    batch: int = 256
    """steps of the environment that one optimiser step learns from"""
    epochs: int = 10
    """passes over each rollout"""
    gae_lambda: float = 0.95
    """lambda of generalised advantage estimation"""
    clip: float = 0.2
    """how far an action's probability may change, as a share"""
    entropy: float = 0.0
    """bonus on the entropy of the policy"""


@dataclass
class OnReplay(OnEnv):
    """The settings of systems that learn from a memory of what they lived through."""

    buffer_size: int = 100_000
    """steps of the environment that are kept"""
    learning_starts: int = 1000
    """steps at random before learning begins"""
    batch: int = 64
    """remembered steps that one optimiser step learns from"""
    every: int = 4
    """steps of the environment to one optimiser step"""


@dataclass
class OnValues(OnReplay):
    """The settings of deep Q-learning, and of each part of Rainbow."""

    total_steps: int = 150_000
    every: int = 8
    lr: float = 1e-3
    double: bool = False
    """the network itself chooses the action after, the slow copy tells its worth"""
    dueling: bool = False
    """worth of the state and advantage of the action in heads of their own"""
    noisy: bool = False
    """explore by noise on the weights that is learned"""
    atoms: int = 1
    """from 2: a distribution over so many returns, instead of the mean"""
    span: float = 100.0
    """with --atoms: the largest return, and the smallest below zero; 10 was published, where rewards are cut to 1"""
    n_step: int = 10
    """rewards that are added up before the slow copy tells what follows"""
    priority: float = 0.0
    """draw by the error to this power; 0 draws all alike"""
    target_interval: int = 200
    """optimiser steps from one slow copy to the next"""
    final_epsilon: float = 0.05
    """chance of any action, once it has fallen"""
    exploration_fraction: float = 0.3
    """share of the training over which it falls from 1"""
    noise: float = 0.5
    """with --noisy: deviation of the weights at first, before it is divided by the root of their number"""
    encoder: Literal["nature", "efficient"] = "nature"
    """convolutions for images of 36 pixels or more: three (Mnih et al. 2015), or two coarse ones (van Hasselt et al. 2019)"""
    width: int = 0
    """units of a head's own layer behind convolutions, of its two where numbers are seen; 0: 512, and 128 for numbers and for
    images below 36 pixels"""
    optimizer: Literal["adam", "rmsprop"] = "adam"
    """rmsprop is that of Mnih et al. 2015"""
    clip: float = 10.0
    """longest gradient; 0 leaves it as it is"""


def make_envs(settings: OnEnv, run: Run, env: str = "") -> tuple[EnvRunner, EnvSpec]:
    """The environments, their first episodes begun, and the spec of the model; `environment` in place of the one in the settings."""
    env = env or settings.env
    here = envs.make(env, settings.num_envs)
    shape = here.observation.shape
    images = len(shape) == 3
    stack = settings.stack if images and min(shape[1:]) >= 36 else 1
    runner = EnvRunner(here, run.seed, stack, clipped=here.cut)
    spec = EnvSpec(env, runner.shape, here.actions, stack)
    return runner, spec


def record_spec(run: Run, spec: EnvSpec) -> None:
    """Write down what must be known to rebuild the model, once nothing is left to refuse; and say what the environment is like."""
    run.write_spec(spec)
    print_once(run, f"{spec.env}: {envs.described(spec)}")


def trunk(spec: EnvSpec, width: int = 512, layers: Sequence | None = None) -> Trunk:
    """For images convolutions, those of deep Q-learning or `layers` where frames are large; vectors are standardised,
    and the heads are whole networks."""
    shape = spec.shape
    if len(shape) == 3:
        return NatureCNN(shape, width, layers) if min(shape[1:]) >= 36 else NatureCNN(shape, 128)
    return ObservationNormaliser(Identity(shape[0]), shape[0])


def raw(spec: EnvSpec) -> Trunk:
    """Vectors as they are, for methods whose heads are whole networks; for images, convolutions."""
    return trunk(spec) if len(spec.shape) == 3 else Identity(spec.shape[0])


def by_numbers(name: str, spec: EnvSpec) -> None:
    """Raises CaudexError where one chooses among a few actions, for a system that acts with numbers."""
    if count := spec.actions.count:
        raise CaudexError(
            f"{spec.env} is acted in by choosing among {count} actions, {name} acts with numbers; take dqn or ppo."
        )


def rollouts(settings: OnRollouts, runner: EnvRunner, learner: Learner, run: Run) -> Rollouts:
    """The source that acts by the signal `policy` and learns from that alone; rewards are scaled where they are not cut."""
    return Rollouts(
        runner, learner, "policy", settings.horizon, settings.batch, settings.epochs, settings.gamma, settings.gae_lambda,
        scaled=not runner.clipped, seed=run.seed,
    )  # fmt: skip


def proximal(settings: OnRollouts, spec: EnvSpec) -> Learner:
    """A policy that takes small steps and a value; the learning rate falls to nothing."""
    policy = PPOActorCritic(spec.actions, hidden(spec), settings.entropy, clip_range=settings.clip)
    optimizer = partial(Adam, lr=settings.lr, eps=1e-5)
    signals = all_signals(settings, {"policy": policy}, spec)
    return Learner(trunk(spec), signals, optimizer, lambda progress: 1 - progress, max_grad_norm=0.5)


def replay_source(settings: OnReplay, runner: EnvRunner, learner: Learner, run: Run, **further) -> Replay:
    """The source that acts by the signal `policy` and remembers."""
    return Replay(
        runner, learner, "policy", settings.buffer_size, settings.batch, settings.learning_starts, settings.every, settings.gamma,
        seed=run.seed, folder=run.stage("training").path / "replay", **further,
    )  # fmt: skip


def values(settings: OnValues, spec: EnvSpec) -> Learner:
    """Deep Q-learning, with those parts of Rainbow that the settings ask for."""
    shape = spec.shape
    if not spec.actions.count:
        raise CaudexError(
            f"{settings.env} is acted in with numbers, this method chooses among actions; take ppo or sac."
        )
    if len(shape) == 3:
        large = min(shape[1:]) >= 36
        body = NatureCNN(shape, 0, ENCODERS[settings.encoder] if large else None)
        layers = (settings.width or (512 if large else 128),)
    else:
        body, layers = raw(spec), (settings.width or 128,) * 2
    signal = QLearning(
        spec.actions.count, layers, settings.double, settings.dueling, settings.noisy, settings.atoms, settings.span,
        settings.target_interval, settings.final_epsilon, settings.exploration_fraction, settings.noise,
    )  # fmt: skip
    signals = all_signals(settings, {"policy": signal}, spec)
    return Learner(
        body, signals, partial(OPTIMIZERS[settings.optimizer], lr=settings.lr), max_grad_norm=settings.clip or None
    )


def by_values(settings: OnValues, run: Run) -> Agent:
    """Act, remember, and learn the worth of actions from what is remembered: dqn, and all that was built on it."""
    runner, spec = make_envs(settings, run)
    with run.seeded("weights"):
        learner = values(settings, spec)
    source = replay_source(settings, runner, learner, run, steps=settings.n_step, priority=settings.priority)
    record_spec(run, spec)
    fit(learner, sources(learner, source, spec, run), **settings.budget(1.0), run=run.stage("training"))
    return finish(Agent(learner, spec), run)


def check_values(settings: OnValues) -> None:
    """Raises CaudexError for a setting out of range."""
    check_replay(settings)
    endless = float("inf")
    check_range(
        settings,
        atoms=(1, 1001),
        span=(1e-6, endless),
        n_step=(1, 1000),
        priority=(0, 10),
        target_interval=(1, endless),
    )
    check_range(
        settings,
        final_epsilon=(0, 1),
        exploration_fraction=(1e-6, 1),
        noise=(0, 10),
        width=(0, 1 << 16),
        clip=(0, endless),
    )


def sources(learner: Learner, source: Rollouts | Replay, spec: EnvSpec, run: Run) -> dict:
    """The source of all signals: with two views of what was seen, where one was added that compares views."""
    if len(learner.signals) > 1:
        source = Viewed(source, view(spec), run.seed)
    return dict.fromkeys(learner.signals, source)


def all_signals(settings: OnEnv, own: dict[str, Signal], spec: EnvSpec) -> dict[str, Signal]:
    """The signals that act, and those of `--also`; raises CaudexError where an environment shows no images to compare."""
    if settings.also and len(spec.shape) < 3:
        raise CaudexError(f"--also {settings.also[0]}: {settings.env} shows no images to compare; leave it out.")
    return settings.with_extra_signals(own, spec)


def view(spec: EnvSpec) -> RandomShift:
    """What two views of the same frames differ in: moved by up to a twelfth of the side."""
    return RandomShift(max(1, min(spec.shape[1:]) // 12))


def hidden(spec: EnvSpec) -> tuple[int, ...]:
    """Of the heads' own layers: none where the trunk is a network."""
    return () if len(spec.shape) == 3 else (64, 64)


def finish(player: Agent, run: Run) -> Agent:
    """Keep returns of the same beginnings, played by the policy and at random; and a sheet of images of an episode."""
    with run.counting(player):
        own = player.play(EPISODES, run.seed, silent=run.main.quiet)
    chance = at_random(player.env, EPISODES, run.seed, silent=run.main.quiet)
    run.write_json("results", {"policy": summary(own), "random": summary(chance), "episodes": EPISODES})
    try:
        images, total, _ = player.watch(run.seed, most=12)
    except CaudexError as error:
        print_once(run, f"no images of an episode: {error}")
        return player
    plot_episode(run, images, total)
    return player


def summary(returns: np.ndarray) -> dict[str, float]:
    mean, low, high = t_interval(returns)
    return {"return": mean, "low": low, "high": high, "best": float(returns.max()), "worst": float(returns.min())}


def told(found: dict[str, float]) -> tuple[str, ...]:
    """Mean, interval, worst and best of what `summary` found, as they are shown."""
    interval = f"{found['low']:,.1f} to {found['high']:,.1f}" if np.isfinite(found["low"]) else ""
    return f"{found['return']:,.1f}", interval, f"{found['worst']:,.1f}", f"{found['best']:,.1f}"


def check(settings: OnEnv) -> None:
    """Raises CaudexError for a setting out of range."""
    check_range(settings, total_steps=(1, float("inf")), num_envs=(1, 4096), stack=(1, 64), gamma=(0, 1), lr=(1e-8, 10))


def check_rollouts(settings: OnRollouts) -> None:
    """Raises CaudexError for a setting out of range."""
    check_range(settings, horizon=(1, 1 << 20), batch=(2, 1 << 20), epochs=(1, 1000), gae_lambda=(0, 1))
    check_range(settings, clip=(1e-3, 10), entropy=(0, 10))
    if settings.batch > (most := settings.horizon * settings.num_envs):
        raise CaudexError(
            f"--batch {settings.batch:,} is more than there is to learn from at once: --horizon {settings.horizon:,} steps of "
            f"--num-envs {settings.num_envs:,} are {most:,}; give a lower --batch."
        )


def check_replay(settings: OnReplay) -> None:
    """Raises CaudexError for a setting out of range."""
    endless = float("inf")
    check_range(settings, buffer_size=(100, endless), learning_starts=(0, endless), batch=(1, 1 << 20), every=(1, 1000))
    if settings.learning_starts >= settings.total_steps:
        raise CaudexError(
            f"--learning-starts {settings.learning_starts:,} steps at random leave nothing of --total-steps "
            f"{settings.total_steps:,}; give a lower --learning-starts."
        )
