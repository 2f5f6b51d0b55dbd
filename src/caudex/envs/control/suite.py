"""A fast control suite of our own: small bodies with known state, seen as numbers or as images of few pixels.

The four steps of physics in a step of the environment, and the images, are of all environments at once, so that learning
from images can be shown on two cores. In the manner of the DeepMind Control Suite (Tassa et al. 2018); no task is its.
"""

from __future__ import annotations

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.envs.control.bouncing import Catch, Hopper, KeepUp
from caudex.envs.control.drawing import Canvas
from caudex.envs.control.mechanics import Acrobot, CartPole, Pendulum, Reacher, Task
from caudex.envs.control.tabletop import PointMass, Push, Spinner
from caudex.envs.env import Env, Outcome
from caudex.envs.random_streams import chances

TASKS: dict[str, Task] = {
    "pendulum-swingup": Pendulum(),
    "cartpole-balance": CartPole(up=True),
    "cartpole-swingup": CartPole(up=False),
    "acrobot-swingup": Acrobot(),
    "reacher": Reacher(),
    "point-mass": PointMass(),
    "push": Push(),
    "spinner": Spinner(),
    "catch": Catch(),
    "keep-up": KeepUp(),
    "hopper": Hopper(),
    # the image, or a few of them, do not show all that one must know
    "point-mass-drift": PointMass(drift=2.0),
    "reacher-glimpse": Reacher(glimpses=10),
    "cartpole-band": CartPole(up=True, dark=True),
    "keep-up-cloud": KeepUp(dark=True),
}
SUBSTEPS = 4
STEPS = 200  # of an episode
LARGE = 256  # pixels of an image for people


class Control(Env):
    """`count` environments of one task; an episode is cut after 200 steps and never ends otherwise.

    Observations: the true state, float32 [S], or with `pixels` one grey image, uint8 [1, size, size]. Actions:
    float32 [A] in [-1, 1]; what is beyond is cut to that. Rewards are in [0, 1]. Raises CaudexError for an unknown task.
    """

    def __init__(self, task: str, count: int, pixels: bool = False, size: int = 48):
        if task not in TASKS:
            raise CaudexError(
                f"{task!r} is not among the control tasks.{did_you_mean(task, TASKS)} Known: {', '.join(TASKS)}."
            )
        if min(count, size) < 1:
            raise CaudexError(f"{count} environments with images {size} pixels wide; each number must be at least 1.")
        try:
            from gymnasium.spaces import Box
        except ImportError:
            raise CaudexError("environments need the package gymnasium: pip install 'caudex[control]'.") from None
        self.name = f"{'pixels' if pixels else 'control'}/{task}"
        self.count, self.task = count, TASKS[task]
        self.names, self.kinds, self.hidden = described(self.task)
        self.canvas = Canvas(count, size, 1) if pixels else None
        numbers = Box(-np.inf, np.inf, (len(self.names),), np.float32)
        self.observation = Box(0, 255, (1, size, size), np.uint8) if pixels else numbers
        self.action = Box(-1, 1, (self.task.actions,), np.float32)
        self.body = np.zeros((len(self.task.parts), count))  # float64 [P, N]
        self.rate = 1 / (SUBSTEPS * self.task.substep)
        self.steps = np.full(count, STEPS)  # of the running episodes

    def reset(self, seeds: np.ndarray, which: np.ndarray) -> np.ndarray:
        which = np.asarray(which, bool)
        self.body[:, which] = self.task.start(chances(np.asarray(seeds)[which], self.task.draws))
        self.steps[which] = 0
        return self.observed()

    def step(self, actions: np.ndarray) -> Outcome:
        actions = np.asarray(actions, np.float64)
        if actions.shape != (self.count, self.task.actions) or not np.isfinite(actions).all():
            raise CaudexError(
                f"{self.name} takes finite actions [{self.count}, {self.task.actions}]; these are {list(actions.shape)}, "
                f"{np.isfinite(actions).sum()} of {actions.size} finite."
            )
        pushes = np.clip(actions.T, -1, 1)
        for _ in range(SUBSTEPS):
            self.body = self.task.move(self.body, pushes)
        self.steps += 1
        never = np.zeros(self.count, bool)
        return Outcome(self.observed(), self.task.reward(self.body), never, self.steps >= STEPS)

    @property
    def states(self) -> np.ndarray:
        """float32 [N, S]: the true state, also where images are observed; `names` and `kinds` say what is in it."""
        rows = []
        for row, kind in zip(self.body, self.task.parts.values()):
            rows += [np.cos(row), np.sin(row)] if kind == "angle" else [row]
        return np.stack(rows, 1).astype(np.float32)

    def observed(self) -> np.ndarray:
        return self.canvas.paint(self.task.shapes(self.body, self.steps)) if self.canvas else self.states

    def image(self) -> np.ndarray:
        painted = Canvas(1, LARGE, 3).paint(self.task.shapes(self.body[:, :1], self.steps[:1]))
        return painted[0].transpose(1, 2, 0)


def described(task: Task) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names and kinds of the state's components, and the names of those that the image does not always show."""
    parts = []
    for part, kind in task.parts.items():
        ends = [("_cos", "position"), ("_sin", "position")] if kind == "angle" else [("", kind)]
        parts += [(part + end, sort, part in task.hidden) for end, sort in ends]
    names, kinds, hidden = zip(*parts)
    return names, kinds, tuple(name for name, not_shown in zip(names, hidden) if not_shown)
