"""locomotion: to run, from trial and error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from safetensors.torch import load

from caudex.core.console import print_once
from caudex.core.disk import serialize_tensors
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.core.system import System
from caudex.core.weights import distinct_tensors, load_weights
from caudex.evaluation.claim import Claim
from caudex.evaluation.plots.image_strips import GREEN, GREY, RED, ImageStrip, TextLine, plot_image_strips
from caudex.models.agent import Agent, Episode, acted, chance
from caudex.systems.reward import shared as reward
from caudex.systems.reward.shared import OnRollouts

STAGES = (0.0, 0.05, 0.2, 0.5, 1.0)
"""shares of the training at which the policy is kept"""
EPISODES = 10
"""of each stage, and at random"""
FRAMES = 8
"""images of each stage"""


@dataclass
class Locomotion(OnRollouts, System):
    """A body and its reward alone: it falls, then it runs, by the algorithm that learns games (Schulman et al. 2016).

    All is as in ppo, the settings too. The policy is kept as it was at five stages of learning; a table tells how far each
    got, and `figures/stages.png` shows an episode of each. `caudex play RUN --video out.mp4` films the last.
    """

    env: str = "Walker2d-v5"
    """a body that tells how far it got: Walker2d-v5, Hopper-v5, Ant-v5, HalfCheetah-v5, Humanoid-v5, Swimmer-v5"""
    total_steps: int = 1_000_000

    accepts: ClassVar = ()
    measure: ClassVar = "metres in an episode"
    statement: ClassVar = (
        "falls at first, then runs: the last policy goes farther than the first, and than acting at random"
    )
    legend: ClassVar = f"Means of {EPISODES} episodes by the likeliest action; metres along x."
    scales: ClassVar = {"tiny": {"total_steps": 5120, "horizon": 32, "batch": 128, "epochs": 2}}

    def train(self, run: Run) -> Agent:
        runner, spec = reward.make_envs(self, run)
        by_chance = summary(acted(self.env, chance(self.env, run.seed), EPISODES, run.seed))
        if np.isnan(by_chance["metres"]):
            raise CaudexError(f"{self.env} does not tell how far one got (x_position); take Walker2d-v5, or train ppo.")
        with run.seeded("weights"):
            learner = self.learner(spec)
        source = reward.rollouts(self, runner, learner, run)
        reward.record_spec(run, spec)

        def stage(made: Learner) -> dict:
            share = max(share for share in STAGES if share <= made.progress)
            run.write(
                f"policies/{share:g}.safetensors", serialize_tensors(distinct_tensors(Agent(made, spec).state_dict()))
            )
            run.write_json(f"policies/{share:g}", {"steps": source.samples_seen})
            return {}

        stage(learner)
        fit(
            learner,
            {"policy": source},
            **self.budget(1.0),
            run=run.stage("training"),
            evaluate=stage,
            evaluate_at=STAGES,
        )
        return self.shown(run, spec, by_chance)

    def shown(self, run: Run, spec: EnvSpec, by_chance: dict) -> Agent:
        """Each stage's policy plays, is filmed, and stands in the table; returns the last."""
        stages, films = [], []
        for share in STAGES:
            if about := run.read_json(
                f"policies/{share:g}"
            ):  # of a very short training some shares are passed in one step
                player = self.model(spec)
                load_weights(player, load((run.path / f"policies/{share:g}.safetensors").read_bytes()))
                stages.append(about | summary(player.episodes(EPISODES, run.seed)))
                films.append(strip(player, run, stages[-1]))
        run.table("stages", stages)
        run.write_json("results", {"stages": stages, "random": by_chance, "episodes": EPISODES})
        if all(films):
            plot_image_strips(run, "stages", f"{self.env}, from trial and error", films)
        return player

    def learner(self, spec: EnvSpec) -> Learner:
        return reward.proximal(self, spec)

    def check(self) -> None:
        super().check()
        reward.check(self)
        reward.check_rollouts(self)

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [(f"{stage['steps']:,} steps", stage) for stage in results["stages"]]
        header = ("after", "return", "steps", "metres", f"falls of {results['episodes']}")
        return [header, *((name, *told(found)) for name, found in [*rows, ("acting at random", results["random"])])]

    def warn(self, results: dict) -> list[str]:
        last, rival = results["stages"][-1]["metres"], farther(results)
        if last > rival:
            return []
        return [f"it has not learned to run: {last:.1f} m, {rival:.1f} m without learning; give more --total-steps."]

    def claim(self, run: Run) -> Claim:
        """How far the last policy got, against the first and acting at random, whichever got farther."""
        self.train(run)
        results = run.read_json("results")
        first, last = results["stages"][0], results["stages"][-1]
        further = {"metres of the first policy": first["metres"], "metres at random": results["random"]["metres"]}
        further |= {"falls of 10, the first": first["falls"], "falls of 10, the last": last["falls"]}
        further |= {"return of the last": last["return"]}
        return Claim(self.statement, last["metres"], {"the first policy, or at random": farther(results)}, further)


def farther(results: dict) -> float:
    """What the last policy must surpass: the first policy, or acting at random."""
    return max(results["stages"][0]["metres"], results["random"]["metres"])


def summary(episodes: Sequence[Episode]) -> dict[str, float]:
    total, steps, fell, metres = np.array(episodes, float).T
    return {"return": total.mean(), "steps": steps.mean(), "metres": metres.mean(), "falls": int(fell.sum())}


def told(found: dict[str, float]) -> tuple[str, ...]:
    return f"{found['return']:,.0f}", f"{found['steps']:,.0f}", metres(found["metres"]), f"{found['falls']}"


def metres(far: float) -> str:
    return f"{round(far, 1) + 0:.1f}"  # no -0.0


def strip(player: Agent, run: Run, about: dict) -> ImageStrip | None:
    """Images of an episode, evenly spread, and what became of it; None where the environment cannot be painted."""
    try:
        moments, episode, _ = player.moments(run.seed, most=3 * FRAMES)  # more than are shown, lest they lie unevenly
    except CaudexError as error:
        print_once(run, f"no images of the stages: {error}")
        return None
    places = np.linspace(0, len(moments) - 1, min(FRAMES, len(moments))).round().astype(int)
    colour, end = (RED, "fell after") if episode.fell else (GREEN, "no fall in")
    words = (
        TextLine(f"after {about['steps']:,} steps", weight="bold"),
        TextLine(f"{metres(episode.metres)} m", 20, colour),
        TextLine(f"{end} {episode.steps:,} steps", colour=colour),
        TextLine(f"return {episode.total:,.0f}", colour=GREY),
        TextLine(f"{EPISODES} episodes: {metres(about['metres'])} m, {about['falls']} falls", colour=GREY),
    )
    return ImageStrip(words, [moments[i].image for i in places], [f"{metres(moments[i].metres)} m" for i in places])
