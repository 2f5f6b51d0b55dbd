"""What happens every so many steps while a policy learns: it is evaluated, the best is kept, an episode is filmed."""

from __future__ import annotations

from math import inf

from caudex.core.console import print_once
from caudex.core.disk import serialize_tensors
from caudex.core.errors import CaudexError
from caudex.core.evaluation import Evaluation
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.source import Source
from caudex.core.specs import EnvSpec
from caudex.core.system import BEST_FILE
from caudex.core.weights import distinct_tensors
from caudex.evaluation.plots.video import encode_video
from caudex.experience import make_random_policy, record_episode
from caudex.models.agent import Agent

MAX_FILM_STEPS = 1000
"""of the episode that a film shows"""


def evaluation_of_returns(spec: EnvSpec, run: Run, every: int, episodes: int) -> Evaluation:
    """The mean return of `episodes`, each time of the same seeds and in environments of their own. Keeps the first of the best policies
    as best.safetensors; what came before stands in the metrics, which a resumed run has, too."""
    seed, training = derive_seed(run.seed, "evaluation"), run.stage("training")

    def evaluate(learner: Learner) -> dict[str, float]:
        agent = Agent(learner, spec)
        mean_return = float(agent.play(episodes, seed, silent=True).mean())
        earlier = [row["evaluation/return"] for row in training.metrics() if "evaluation/return" in row]
        if mean_return > max(earlier, default=-inf):
            run.write(BEST_FILE, serialize_tensors(distinct_tensors(agent.state_dict())))
        return {"return": mean_return}

    return Evaluation(evaluate, every)


def films(spec: EnvSpec, run: Run, every: int, source: Source) -> list[Evaluation]:
    """video/STEP.mp4: an episode, or its first 1,000 steps. Without the package av, or where the environment cannot be rendered, none,
    and a sentence says so."""
    try:
        policy = make_random_policy(spec.env, 0)
        frames, _, _ = record_episode(spec.env, policy, 0, spec.frame_stack, max_steps=2)
        encode_video([frame.image for frame in frames])
    except CaudexError as error:
        print_once(run, f"it trains without films: {error}")
        return []

    def film(learner: Learner) -> dict[str, float]:
        if run.is_main_process:
            images, _, fps = Agent(learner, spec).record_images(run.seed, max_steps=MAX_FILM_STEPS)
            run.write(f"video/{source.samples_seen}.mp4", encode_video(images, fps))
        return {}

    return [Evaluation(film, every)]
