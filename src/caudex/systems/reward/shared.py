"""What the systems that learn from reward share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from caudex import envs
from caudex.core.console import print_once
from caudex.core.env_names import parse_env_name
from caudex.core.errors import CaudexError
from caudex.core.evaluation import Evaluation
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.source import Source
from caudex.core.specs import EnvSpec
from caudex.core.system import System
from caudex.envs.adapters.space_specs import space_spec
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.play_time import play_time, play_time_rows
from caudex.evaluation.plots.contact_sheet import plot_episode
from caudex.evaluation.returns import format_return_summary, summarize_returns
from caudex.evaluation.verdicts import format_difference, format_interval, format_verdict, paired_gain
from caudex.experience import AugmentedSource, EnvRunner, ReplaySource, Rollouts, episode_returns, random_returns
from caudex.models.agent import Agent
from caudex.systems.reward.observation_trunk import has_large_frames
from caudex.systems.reward.while_training import evaluation_of_returns, films
from caudex.views import RandomShift

EVAL_EPISODES = 20
"""played at the end"""


@dataclass
class RewardSystem(System):
    """A system that acts in an environment and learns from its reward.

    Each brings its `learner`, whose signal `policy` acts, and the `source` that acts by it and gives the batches.
    """

    env: str = "CartPole-v1"
    """name of a Gymnasium environment, as CartPole-v1, HalfCheetah-v5, MinAtar/Breakout-v1, of an entry point, or module:NAME, where NAME is
    registered, a class or a function; `caudex list envs` has all"""
    env_args: tuple[str, ...] = ()
    """key=value: arguments that the environment is made with; they become part of its name, ID?key=value"""
    wrap: tuple[str, ...] = ()
    """module:function: wrappers around the environment, innermost first; they become part of its name, ID|module:function"""
    total_steps: int = 100_000
    """steps in the environment, of all environments together"""
    steps: int | None = None
    """stop after so many optimiser steps, where that comes first"""
    num_envs: int = 8
    """environments side by side"""
    frame_stack: int = 4
    """frames stacked to one observation, of environments with images of 36 pixels or more"""
    hidden: tuple[int, ...] = ()
    """units of each hidden layer of the heads, behind the trunk's convolutions for images; none given: 64 64, and no layer for images"""
    gamma: float = 0.99
    """discount of a reward for each step that it comes later"""
    lr: float = 3e-4
    """learning rate"""
    evaluate_every: int = 0
    """play episodes of the same seeds after so many steps, and keep the best policy, for `play RUN --best`; 0: never"""
    evaluate_episodes: int = 10
    """episodes of each of these evaluations"""
    video_every: int = 0
    """film an episode after so many steps, as video/STEP.mp4 in the run's folder; 0: never"""

    spec_type: ClassVar = EnvSpec
    accepts: ClassVar = ("pairs",)
    results_type: ClassVar = result_kinds.RewardResults
    number_format: ClassVar = ",.1f"
    measure: ClassVar = "mean return"
    statement: ClassVar = "acting by what was learned earns more than acting at random or without looking"
    training_step: ClassVar = staticmethod(Learner.step)
    """`training_step(learner, batches)` is one step of `fit`"""

    def __post_init__(self):
        if self.env_args or self.wrap:
            self.env, self.env_args, self.wrap = envs.join_env_name(self.env, self.env_args, self.wrap), (), ()

    def learner(self, spec: EnvSpec) -> Learner:
        raise NotImplementedError

    def source(self, runner: EnvRunner, learner: Learner, run: Run) -> Rollouts | ReplaySource:
        raise NotImplementedError

    def train(self, run: Run) -> Agent:
        """Build environments, learner and source; fit; evaluate."""
        runner, spec = self.make_envs(run)
        with run.seeded("weights"):
            learner = self.learner(spec)
        source = self.add_views(self.source(runner, learner, run), learner, spec, run)
        self.record_spec(run, spec)
        sources = dict.fromkeys(learner.signals, source)
        evaluate = self.evaluations(spec, run, source)
        fit(learner, sources, **self.budget(1.0), run=run.stage("training"), evaluate=evaluate, step=self.training_step)
        return self.evaluate(Agent(learner, spec), run)

    def evaluations(self, spec: EnvSpec, run: Run, source: Source) -> list[Evaluation]:
        """What `fit` does every so many steps; the training is the same without it."""
        if self.evaluate_every or self.video_every:
            check_copies(self.env, "--evaluate-every and --video-every act")
        evaluations = films(spec, run, self.video_every, source) if self.video_every else []
        if self.evaluate_every:
            evaluations.insert(0, evaluation_of_returns(spec, run, self.evaluate_every, self.evaluate_episodes))
        return evaluations

    def make_envs(self, run: Run) -> tuple[EnvRunner, EnvSpec]:
        """The environments at the start of their first episodes, and the spec of the model. Raises CaudexError for an environment that
        the system cannot learn in."""
        env = envs.make(self.env_name(), self.num_envs)
        frame_stack = self.frame_stack if has_large_frames(env.observation_space.shape) else 1
        runner = EnvRunner(env, run.seed, frame_stack, reward_clip=env.reward_clip)
        spec = EnvSpec(
            self.env_name(), runner.observation_shape, env.actions, frame_stack, {}, env.layout, env.ignored_texts,
            *map(space_spec, env.native_spaces or (None, None)),
        )  # fmt: skip
        self.check_env(spec)
        return runner, spec

    def env_name(self) -> str:
        return self.env

    def check_env(self, spec: EnvSpec) -> None:
        """Raises CaudexError for an environment that the system cannot learn in."""
        if self.also and len(spec.shape) < 3:
            kind = "images among other things" if spec.has_images else "no images to compare"
            raise CaudexError(f"--also {self.also[0]}: {self.env} shows {kind}; leave it out.")

    def add_views(
        self, source: Rollouts | ReplaySource, learner: Learner, spec: EnvSpec, run: Run
    ) -> Rollouts | ReplaySource | AugmentedSource:
        """Two views of each image where `--also` adds a signal that compares views: shifted by up to a twelfth of the side."""
        if len(learner.signals) == 1:
            return source
        return AugmentedSource(source, RandomShift(max(1, min(spec.shape[1:]) // 12)), run.seed)

    def record_spec(self, run: Run, spec: EnvSpec) -> None:
        """Write spec.json, once everything that can be refused was checked, and print what the environment shows and takes. Raises
        CaudexError where that is not what it was when the run began."""
        saved = run.read_spec(EnvSpec)
        if saved and (saved.shape, saved.actions, saved.layout) != (spec.shape, spec.actions, spec.layout):
            raise CaudexError(
                f"{spec.env}: {envs.describe_spaces(spec)}; when {run.path} began: {envs.describe_spaces(saved)}. The environment or "
                "its wrapper has changed; put it back, or begin a new run."
            )
        run.write_spec(spec)
        print_once(run, f"{spec.env}: {envs.describe_spaces(spec)}")

    def evaluate(self, agent: Agent, run: Run) -> Agent:
        """Record the returns of the policy and of random actions in episodes with the same seeds, and images of one episode; returns the
        agent."""
        with run.counting(agent):
            returns = agent.play(EVAL_EPISODES, run.seed, silent=run.main.quiet)
        returns_at_random = random_returns(agent.env, EVAL_EPISODES, run.seed, silent=run.main.quiet)
        summaries = {"policy": summarize_returns(returns), "random": summarize_returns(returns_at_random)}
        gain = paired_gain(returns, returns_at_random).to_json()
        times = play_time(agent.env, run.stage("training").metrics())
        hours = {"play_time": times} if times else {}
        run.write_json("results", {**summaries, "gain": gain, "episodes": EVAL_EPISODES, **hours})
        try:
            images, episode_return, _ = agent.record_images(run.seed, max_frames=12)
        except envs.NoImagesError as error:
            print_once(run, str(error))
            return agent
        except CaudexError as error:
            print_once(run, f"no images of an episode: {error}")
            return agent
        plot_episode(run, images, episode_return)
        return agent

    def budget(self, share: float) -> dict:
        return super().budget(share) | {"samples": self.total_steps}

    def model(self, spec: EnvSpec) -> Agent:
        return Agent(self.learner(spec), spec)

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [(f"{results['episodes']} episodes", "mean return", "95% interval", "worst", "best")]
        rows += [(name, *format_return_summary(results[name])) for name in ("policy", "random")]
        if gain := results.get("gain"):
            interval = format_interval(gain["low"], gain["high"], ",.1f")
            cell, verdict = format_difference(gain["gain"], None, ",.1f"), format_verdict(gain, self.number_format)
            rows.append((f"gain over random: {verdict}", cell, interval, "", ""))
        return rows + (play_time_rows(results["play_time"]) if results.get("play_time") else [])

    def claim(self, run: Run) -> Claim:
        """The trained policy against acting at random or without looking, whichever earns more: some bodies earn by standing still."""
        agent = self.train(run)
        results = run.read_json("results")
        blind = episode_returns(
            agent.env, agent.act_blindly, EVAL_EPISODES, run.seed, agent.frame_stack, silent=run.main.quiet
        )
        untrained = {"random": results["random"]["return"], "blind agent": float(blind.mean())}
        baselines = {"at random or blind": max(untrained.values())}
        return Claim(self.statement, results["policy"]["return"], baselines, untrained)

    def check(self) -> None:
        super().check()
        parse_env_name(self.env)
        check_range(
            self, total_steps=(1, float("inf")), num_envs=(1, 4096), frame_stack=(1, 64), gamma=(0, 1), lr=(1e-8, 10)
        )
        check_range(
            self, evaluate_every=(0, float("inf")), evaluate_episodes=(1, 10_000), video_every=(0, float("inf"))
        )
        if not all(1 <= units <= 1 << 16 for units in self.hidden):
            raise CaudexError(f"--hidden {' '.join(map(str, self.hidden))}: each layer has 1 to {1 << 16:,} units.")

    def hidden_layers(self, spec: EnvSpec) -> tuple[int, ...]:
        """`hidden`, or where none is given those of the method: none where the trunk is a network."""
        return self.hidden or (() if spec.has_images else (64, 64))


def check_continuous(spec: EnvSpec, system: str) -> None:
    """Raises CaudexError for an environment with discrete actions, or with actions that have no bounds."""
    if choices := spec.actions.choices:
        which = f"among {choices[0]} actions" if len(choices) == 1 else f"{len(choices)} actions at once"
        other = "dqn or ppo" if len(choices) == 1 else "ppo"
        raise CaudexError(f"{spec.env} is acted in by choosing {which}, {system} acts with numbers; take {other}.")
    if not spec.actions.is_bounded:
        raise CaudexError(
            f"{spec.env} has actions without bounds, {system} needs them; take ppo, or give bounds by "
            "gymnasium.wrappers.TransformAction(env, lambda action: action, Box(-1, 1, ...))."
        )


def check_copies(env: str, what: str) -> None:
    """Raises CaudexError for an environment object, of which there is no second one to act in beside the training."""
    if envs.is_single(env):
        raise CaudexError(
            f"{what} beside the training, but {env} is one object; give its class, or a function that makes it."
        )
