"""locomotion: a body that falls, then runs: ppo, its stages kept and filmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypedDict

import numpy as np

from caudex.core.console import print_once
from caudex.core.disk import parse_tensors, serialize_tensors
from caudex.core.errors import CaudexError
from caudex.core.evaluation import Evaluation
from caudex.core.fit import fit
from caudex.core.hardware import available_memory
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.specs import EnvSpec
from caudex.core.typed_json import Count
from caudex.core.weights import distinct_tensors, load_weights
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.plots.image_strips import GREEN, GREY, RED, ImageStrip, TextLine, plot_image_strips
from caudex.experience import Episode, make_random_policy, play_episodes
from caudex.models.agent import Agent
from caudex.systems.reward.ppo import PPO
from caudex.systems.reward.shared import check_copies

STAGES = (0.0, 0.05, 0.2, 0.5, 1.0)
"""shares of the training at which the policy is saved"""
STAGE_EPISODES = 10
"""of each stage, and of random actions"""
FRAMES = 8
"""images of each stage"""


class PolicyRecord(TypedDict):
    """policies/SHARE.json"""

    env_steps: Count


@dataclass
class Locomotion(PPO):
    """A body and its reward alone: it falls, then it runs, by the algorithm that learns games (Schulman et al. 2016).

    The method and its settings are those of ppo. The policy is saved at five stages of learning; a table has how far each got,
    and `figures/stages.png` shows an episode of each. `caudex play RUN --video out.mp4` films the last.
    """

    env: str = "Walker2d-v5"
    """a body that tells how far it got: Walker2d-v5, Hopper-v5, Ant-v5, HalfCheetah-v5, Humanoid-v5, Swimmer-v5"""
    total_steps: int = 1_000_000

    accepts: ClassVar = ()
    results_type: ClassVar = result_kinds.LocomotionResults
    measure: ClassVar = "metres in an episode"
    statement: ClassVar = (
        "falls at first, then runs: the last policy goes farther than the first, and than acting at random"
    )
    legend: ClassVar = f"Means of {STAGE_EPISODES} episodes by the likeliest action; metres along x."
    scales: ClassVar = {"tiny": {"total_steps": 5120, "horizon": 32, "batch": 128, "epochs": 2}}

    def train(self, run: Run) -> Agent:
        check_copies(self.env, "locomotion acts")
        runner, spec = self.make_envs(run)
        random_summary = summarize_episodes(
            play_episodes(self.env, make_random_policy(self.env, run.seed), STAGE_EPISODES, run.seed)
        )
        if np.isnan(random_summary["metres"]):
            raise CaudexError(f"{self.env} does not tell how far one got (x_position); take Walker2d-v5, or train ppo.")
        with run.seeded("weights"):
            learner = self.learner(spec)
        source = self.source(runner, learner, run)
        self.record_spec(run, spec)

        def save_policy(learner: Learner) -> dict:
            share = max(share for share in STAGES if share <= learner.progress)
            weights = distinct_tensors(Agent(learner, spec).state_dict())
            run.write(f"policies/{share:g}.safetensors", serialize_tensors(weights))
            run.write_json(f"policies/{share:g}", {"env_steps": source.samples_seen})
            return {}

        save_policy(learner)
        fit(
            learner,
            {"policy": source},
            **self.budget(1.0),
            run=run.stage("training"),
            evaluate=[Evaluation(save_policy, at=STAGES), *self.evaluations(spec, run, source)],
        )
        return self.evaluate_stages(run, spec, random_summary)

    def evaluate_stages(self, run: Run, spec: EnvSpec, random_summary: dict) -> Agent:
        """Play and film the policy of each stage and write their table; returns the last agent."""
        stages, film_strips = [], []
        for share in STAGES:
            stage = run.read_checked(f"policies/{share:g}", PolicyRecord)
            if stage is None:  # in a very short training one step passes several shares
                continue
            agent = self.model(spec)
            file = f"policies/{share:g}.safetensors"
            load_weights(agent, parse_tensors(run.folder.read(file, available_memory()) or b"", run.path / file))
            stages.append(stage | summarize_episodes(agent.play_episodes(STAGE_EPISODES, run.seed)))
            film_strips.append(film_strip(agent, run, stages[-1]))
        run.table("stages", stages)
        run.write_json("results", {"stages": stages, "random": random_summary, "episodes": STAGE_EPISODES})
        if all(film_strips):
            plot_image_strips(run, "stages", f"{self.env}, from trial and error", film_strips)
        return agent

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [(f"{stage['env_steps']:,} steps", stage) for stage in results["stages"]]
        header = ("after", "return", "steps", "metres", f"falls of {results['episodes']}")
        return [
            header,
            *((name, *format_episodes(row)) for name, row in [*rows, ("acting at random", results["random"])]),
        ]

    def warn(self, results: dict) -> list[str]:
        last, baseline = results["stages"][-1]["metres"], untrained_metres(results)
        if last > baseline:
            return []
        return [f"it has not learned to run: {last:.1f} m, {baseline:.1f} m without learning; give more --total-steps."]

    def claim(self, run: Run) -> Claim:
        """The metres of the last policy, against the first policy, random actions or the last policy blind, whichever got farthest."""
        agent = self.train(run)
        results = run.read_json("results")
        blind = summarize_episodes(
            play_episodes(self.env, agent.act_blindly, STAGE_EPISODES, run.seed, agent.frame_stack)
        )
        first, last = results["stages"][0], results["stages"][-1]
        baselines = {"the first policy, at random or blind": max(untrained_metres(results), blind["metres"])}
        extra_metrics = {
            "metres of the first policy": first["metres"],
            "metres at random": results["random"]["metres"],
            "metres of the last, blind": blind["metres"],
            "falls of 10, the first": first["falls"],
            "falls of 10, the last": last["falls"],
            "return of the last": last["return"],
        }
        return Claim(self.statement, last["metres"], baselines, extra_metrics)


def untrained_metres(results: dict) -> float:
    """Metres of the first policy or of random actions, whichever got farther."""
    return max(results["stages"][0]["metres"], results["random"]["metres"])


def summarize_episodes(episodes: Sequence[Episode]) -> dict[str, float]:
    returns, steps, fell, metres = np.array(episodes, float).T
    return {"return": returns.mean(), "steps": steps.mean(), "metres": metres.mean(), "falls": int(fell.sum())}


def format_episodes(summary: dict[str, float]) -> tuple[str, ...]:
    """Cells of a table from what `summarize_episodes` gives."""
    return (
        f"{summary['return']:,.0f}",
        f"{summary['steps']:,.0f}",
        format_metres(summary["metres"]),
        f"{summary['falls']}",
    )


def format_metres(metres: float) -> str:
    return f"{round(metres, 1) + 0:.1f}"  # no -0.0


def film_strip(agent: Agent, run: Run, stage: dict) -> ImageStrip | None:
    """Evenly spaced images of an episode with its outcome; None where the environment cannot be rendered."""
    try:
        # more than are shown, so that those that are shown are evenly spaced
        frames, episode, _ = agent.record_episode(run.seed, max_frames=3 * FRAMES)
    except CaudexError as error:
        print_once(run, f"no images of the stages: {error}")
        return None
    indices = np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).round().astype(int)
    colour, end = (RED, "fell after") if episode.terminated else (GREEN, "no fall in")
    lines = (
        TextLine(f"after {stage['env_steps']:,} steps", weight="bold"),
        TextLine(f"{format_metres(episode.x_position)} m", 20, colour),
        TextLine(f"{end} {episode.length:,} steps", colour=colour),
        TextLine(f"return {episode.total_reward:,.0f}", colour=GREY),
        TextLine(f"{STAGE_EPISODES} episodes: {format_metres(stage['metres'])} m, {stage['falls']} falls", colour=GREY),
    )
    return ImageStrip(
        lines, [frames[i].image for i in indices], [f"{format_metres(frames[i].x_position)} m" for i in indices]
    )
