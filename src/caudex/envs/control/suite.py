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
from caudex.envs.control.mechanics import Acrobot, CartPole, ControlTask, Pendulum, Reacher
from caudex.envs.control.tabletop import PointMass, Push, Spinner
from caudex.envs.env import Env, TimeStep
from caudex.envs.random_streams import uniform_from_seeds

TASKS: dict[str, ControlTask] = {
    "pendulum-swingup": Pendulum(),
    "cartpole-balance": CartPole(starts_upright=True),
    "cartpole-swingup": CartPole(starts_upright=False),
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
    "cartpole-band": CartPole(starts_upright=True, occluded=True),
    "keep-up-cloud": KeepUp(occluded=True),
}
SUBSTEPS = 4
EPISODE_STEPS = 200
RENDER_SIZE = 256  # pixels of an image for people


class ControlEnv(Env):
    """`num_envs` environments of one task; an episode is truncated after 200 steps and never terminates.

    Observations: the true state, float32 [S], or with `pixels` one grey image, uint8 [1, size, size]. Actions:
    float32 [A] in [-1, 1]; they are clipped to that. Rewards are in [0, 1]. Raises CaudexError for an unknown task.
    """

    def __init__(self, task: str, num_envs: int, pixels: bool = False, size: int = 48):
        if task not in TASKS:
            raise CaudexError(
                f"{task!r} is not among the control tasks.{did_you_mean(task, TASKS)} Known: {', '.join(TASKS)}."
            )
        if min(num_envs, size) < 1:
            raise CaudexError(
                f"{num_envs} environments with images {size} pixels wide; each number must be at least 1."
            )
        try:
            from gymnasium.spaces import Box
        except ImportError:
            raise CaudexError("environments need the package gymnasium: pip install 'caudex[control]'.") from None
        self.name = f"{'pixels' if pixels else 'control'}/{task}"
        self.num_envs, self.task = num_envs, TASKS[task]
        self.component_names, self.component_kinds, self.hidden_components = state_components(self.task)
        self.canvas = Canvas(num_envs, size, 1) if pixels else None
        numbers = Box(-np.inf, np.inf, (len(self.component_names),), np.float32)
        self.observation_space = Box(0, 255, (1, size, size), np.uint8) if pixels else numbers
        self.action_space = Box(-1, 1, (self.task.num_actions,), np.float32)
        self.body = np.zeros((len(self.task.components), num_envs))  # float64 [P, N]
        self.render_fps = 1 / (SUBSTEPS * self.task.substep)
        self.steps = np.full(num_envs, EPISODE_STEPS)  # of the running episodes

    def reset(self, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
        mask = np.asarray(mask, bool)
        self.body[:, mask] = self.task.initial_body(uniform_from_seeds(np.asarray(seeds)[mask], self.task.num_draws))
        self.steps[mask] = 0
        return self.observe()

    def step(self, actions: np.ndarray) -> TimeStep:
        actions = np.asarray(actions, np.float64)
        if actions.shape != (self.num_envs, self.task.num_actions) or not np.isfinite(actions).all():
            raise CaudexError(
                f"{self.name} takes finite actions [{self.num_envs}, {self.task.num_actions}]; these are {list(actions.shape)}, "
                f"{np.isfinite(actions).sum()} of {actions.size} finite."
            )
        pushes = np.clip(actions.T, -1, 1)
        for _ in range(SUBSTEPS):
            self.body = self.task.advance(self.body, pushes)
        self.steps += 1
        terminated = np.zeros(self.num_envs, bool)
        return TimeStep(self.observe(), self.task.reward(self.body), terminated, self.steps >= EPISODE_STEPS)

    @property
    def states(self) -> np.ndarray:
        """float32 [N, S]: the true state, also where images are observed; `component_names` and `component_kinds` describe it."""
        rows = []
        for row, kind in zip(self.body, self.task.components.values()):
            rows += [np.cos(row), np.sin(row)] if kind == "angle" else [row]
        return np.stack(rows, 1).astype(np.float32)

    def observe(self) -> np.ndarray:
        return self.canvas.render(self.task.shapes(self.body, self.steps)) if self.canvas else self.states

    def render(self) -> np.ndarray:
        image = Canvas(1, RENDER_SIZE, 3).render(self.task.shapes(self.body[:, :1], self.steps[:1]))
        return image[0].transpose(1, 2, 0)


def state_components(task: ControlTask) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Names and kinds of the state's components, and the names of those that the image does not always show."""
    names, kinds, hidden = [], [], []
    for name, kind in task.components.items():
        observed = {f"{name}_cos": "position", f"{name}_sin": "position"} if kind == "angle" else {name: kind}
        names += observed.keys()
        kinds += observed.values()
        hidden += observed.keys() if name in task.hidden_components else ()
    return tuple(names), tuple(kinds), tuple(hidden)
