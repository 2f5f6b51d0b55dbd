"""What training in an environment leaves: a trunk and a policy that plays."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from caudex import envs as envs
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.progress import ProgressBar
from caudex.core.seeds import derive_seed
from caudex.core.specs import EnvSpec
from caudex.experience import EnvRunner, StepResult

Choose = Callable[[np.ndarray], np.ndarray]


class Episode(NamedTuple):
    """What became of an episode."""

    total: float  # the sum of its rewards
    steps: int
    fell: bool  # it ended before its time, as nothing could follow
    metres: float  # how far along x the body came; NaN where the environment does not tell


class Moment(NamedTuple):
    image: np.ndarray  # uint8 [H, W, 3]
    step: int
    metres: float


class Agent(nn.Module):
    """Observations to actions, by the signal `policy` of a learner. Uses the averaged weights where they are kept."""

    def __init__(self, learner: Learner, spec: EnvSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.env, self.stack = spec.env, spec.stack
        self.shape, self.actions = spec.shape, spec.actions

    @torch.inference_mode()
    def act(self, observations: np.ndarray | Tensor, greedy: bool = True) -> np.ndarray:
        """Actions for the environment from observations [N, ...]; `greedy` takes the likeliest, else they are drawn."""
        seen = torch.as_tensor(observations, device=next(self.parameters()).device)
        return self.signals["policy"].act(self.trunk, seen, greedy).cpu().numpy()

    def play(
        self, episodes: int = 20, seed: int = 0, greedy: bool = True, env: str | None = None, silent: bool = False
    ) -> np.ndarray:
        """The return of each episode, [episodes]; the same seed begins the same episodes."""
        return np.array([episode.total for episode in self.episodes(episodes, seed, greedy, env, silent)])

    def episodes(
        self, count: int = 20, seed: int = 0, greedy: bool = True, env: str | None = None, silent: bool = False
    ) -> list[Episode]:
        """What became of each; the same seed begins the same episodes."""
        self.eval()
        if env:
            self.knows(env)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return acted(env or self.env, lambda seen: self.act(seen, greedy), count, seed, self.stack, silent)

    def knows(self, env: str) -> None:
        """Raises CaudexError for an environment with other observations or actions than were learned with."""
        here = envs.make(env, 1)
        shape, space = EnvRunner(here, 0, self.stack).shape, here.action
        here.close()
        known = self.actions.count or (len(self.actions.low),)
        if shape != self.shape or (space.shape or int(space.n)) != known:
            raise CaudexError(f"{env} has other observations or actions than {self.env}, where this was learned.")

    def watch(
        self, seed: int = 0, greedy: bool = True, env: str | None = None, most: int = 0, steps: int = 10_000
    ) -> tuple[list[np.ndarray], float, float]:
        """Images uint8 [H, W, 3] of one episode, the first `steps` of it; its return; how many steps a second are to be
        watched. With `most`, no more than twice as many images, evenly spread in time."""
        moments, episode, rate = self.moments(seed, greedy, env, most, steps)
        return [moment.image for moment in moments], episode.total, rate

    def moments(
        self, seed: int = 0, greedy: bool = True, env: str | None = None, most: int = 0, steps: int = 10_000
    ) -> tuple[list[Moment], Episode, float]:
        """Moments of one episode, or of its first `steps`; what became of it; the environment's `rate`. With `most`, no more than
        twice as many moments, evenly spread in time."""
        self.eval()
        if env:
            self.knows(env)
        here = envs.make(env or self.env, 1, shown=True)
        runner, moments, every, total = EnvRunner(here, derive_seed(seed, "watch"), self.stack), [], 1, 0.0
        moments.append(Moment(here.image(), 0, 0.0))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for step in range(1, steps):
                now = runner.step(self.act(runner.observations, greedy))
                total += float(now.rewards[0])
                episode = Episode(total, step, bool(now.terminated[0]), float(far(now)[0]))
                if now.begun[0]:
                    break
                if step % every == 0:
                    moments.append(Moment(here.image(), step, episode.metres))
                if most and len(moments) > 2 * most:
                    moments, every = moments[::2], 2 * every
        here.close()
        return moments, episode, here.rate


def acted(
    env: str, choose: Choose, count: int, seed: int, stack: int = 1, silent: bool = False, together: int = 10
) -> list[Episode]:
    """`count` episodes of `choose`, observations [N, ...] to actions; each place plays the same number, lest the short
    episodes count more. None is longer than `Environment.longest`."""
    places = min(count, together)
    here = envs.make(env, places)
    runner, each = EnvRunner(here, derive_seed(seed, "play"), stack, most=here.longest), -(-count // places)
    found: list[list[Episode]] = [[] for _ in range(places)]
    with ProgressBar("playing", places * each, silent=silent) as progress:
        while min(map(len, found)) < each:
            step = runner.step(choose(runner.observations))
            for place, total, steps in runner.ended:
                found[place].append(Episode(total, steps, bool(step.terminated[place]), far(step)[place]))
            runner.ended.clear()
            progress.update(min(1.0, sum(min(len(some), each) for some in found) / progress.total))
    here.close()
    return [found[i % places][i // places] for i in range(count)]


def far(step: StepResult) -> np.ndarray:
    """How far along x each body has come, [N]."""
    return np.full(len(step.rewards), np.nan) if step.metres is None else step.metres


def played(env: str, choose: Choose, episodes: int, seed: int, stack: int = 1, silent: bool = False) -> np.ndarray:
    """Returns [episodes] of `choose`."""
    return np.array([episode.total for episode in acted(env, choose, episodes, seed, stack, silent)])


def at_random(env: str, episodes: int, seed: int, silent: bool = False) -> np.ndarray:
    """Returns [episodes] of one who acts at random."""
    return played(env, chance(env, seed), episodes, seed, silent=silent)


def chance(env: str, seed: int) -> Choose:
    """All actions are as likely."""
    here = envs.make(env, 1)
    here.close()
    return envs.anything(here.action, derive_seed(seed, "random"))
