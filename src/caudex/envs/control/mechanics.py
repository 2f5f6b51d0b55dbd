"""What a control task is, and those that swing: pendulum, cart-pole, two-link arms.

Metres, seconds, kilograms, radians; angles are from upright, clockwise. All equations are of N environments at once: a
number is an array [N]. What is smooth moves by the Runge-Kutta method. What touches (in `tabletop`, `bouncing`) moves
by the semi-implicit Euler method, first the velocities, then with the new ones the places, and exchanges impulses along
the normal, so that no spring has to be stiff (Baraff 1997).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from caudex.envs.control.drawing import DRIVEN, FIXED, FREE, TARGET, Bar, Box, Disc

GRAVITY = 9.81
Body = np.ndarray  # float64 [P, N], a row for each of the task's parts
POSITION = {"x": "position", "y": "position"}
VELOCITY = {"x_speed": "velocity", "y_speed": "velocity"}
GOAL = {"target_x": "target", "target_y": "target"}


class ControlTask:
    """The physics, the reward and the drawing of one task.

    `components`: each row of the body and its kind: "position", "velocity", "contact", "target", or "angle", a position
    that is observed as cosine and sine. `hidden_components`: those that the image never shows, or not always.
    """

    components: dict[str, str]
    hidden_components: tuple[str, ...] = ()
    num_actions: int = 1
    num_draws: int = 2
    """random numbers that an initial body needs"""
    substep: float = 0.0125
    """seconds of physics; an action lasts four of them"""

    def initial_body(self, uniform: np.ndarray) -> list:
        """The rows of a body from random numbers [num_draws, N], uniform in [0, 1)."""
        raise NotImplementedError

    def advance(self, body: Body, action: np.ndarray) -> Body:
        """The body a substep later, under an action [A, N] in [-1, 1]."""
        raise NotImplementedError

    def reward(self, body: Body) -> np.ndarray:
        """[N] in [0, 1]"""
        raise NotImplementedError

    def shapes(self, body: Body, steps: np.ndarray) -> list:
        """The shapes to draw, the foremost last; steps [N] of the episode so far."""
        raise NotImplementedError


def tolerance(x: np.ndarray, bounds: tuple[float, float], margin: float) -> np.ndarray:
    """1 where x is within the bounds, 0.1 where it is `margin` beyond, with a long tail (Tassa et al. 2018): also from far
    away one step is better than another, for little can be tried on two cores."""
    beyond = np.maximum(np.maximum(bounds[0] - x, x - bounds[1]), 0) / margin
    return 1 / (1 + 9 * beyond * beyond)


def rescale(uniform: np.ndarray, low: float, high: float) -> np.ndarray:
    return low + (high - low) * uniform


def norm(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sqrt(x * x + y * y)


def contact_normal(x: np.ndarray, y: np.ndarray, min_distance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The unit vector along (x, y), and the depth by which the distance is below `min_distance`; 0 where nothing touches."""
    distance = np.maximum(norm(x, y), 1e-9)
    return x / distance, y / distance, np.maximum(min_distance - distance, 0)


def runge_kutta(derivatives: Callable[[Body], Body], body: Body, time: float) -> Body:
    """One step of the classical method of fourth order."""
    first = derivatives(body)
    second = derivatives(body + time / 2 * first)
    third = derivatives(body + time / 2 * second)
    fourth = derivatives(body + time * third)
    return body + time / 6 * (first + 2 * (second + third) + fourth)


def reflect_at_walls(x: np.ndarray, v: np.ndarray, edge: float, bounce: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Position and velocity after walls at -edge and edge, which reflect the share `bounce` of the velocity."""
    inward = (np.abs(x) > edge) & (x * v > 0)
    return np.clip(x, -edge, edge), np.where(inward, -bounce * v, v)


class Pendulum(ControlTask):
    """Swing a mass on a rod up and hold it there; the motor is too weak to lift it at once."""

    components: ClassVar = {"pole": "angle", "pole_speed": "velocity"}
    length = 0.75

    def __init__(self, damping: float = 0.05, torque: float = 4.0):
        """`damping` a second; `torque`: the largest, as an angular acceleration. Gravity's is up to 13."""
        self.damping, self.torque = damping, torque

    def initial_body(self, uniform):
        return [rescale(uniform[0], -np.pi, np.pi), rescale(uniform[1], -0.5, 0.5)]

    def advance(self, body, action):
        def derivatives(body):
            pull = GRAVITY / self.length * np.sin(body[0])
            return np.stack([body[1], pull + self.torque * action[0] - self.damping * body[1]])

        return runge_kutta(derivatives, body, self.substep)

    def reward(self, body):
        return tolerance(np.cos(body[0]), (0.95, 1), 1)

    def shapes(self, body, steps):
        x, y = self.length * np.sin(body[0]), self.length * np.cos(body[0])
        return [Bar(0, 0, x, y, 0.05, DRIVEN), Disc(0, 0, 0.08, FIXED), Disc(x, y, 0.14, FREE)]


class CartPole(ControlTask):
    """A pole hinged on a cart that is pushed along a rail (Barto, Sutton and Anderson 1983), with friction in the hinge alone.

    At the rail's ends the cart stops dead. `starts_upright`: the pole starts nearly upright, not hanging. `occluded`: a
    band across the rail's middle, where the cart belongs, hides what is behind it; the cart starts beside it.
    """

    components: ClassVar = {"cart": "position", "pole": "angle", "cart_speed": "velocity", "pole_speed": "velocity"}
    num_draws = 3
    cart, pole, half, force, edge = 1.0, 0.1, 0.35, 8.0, 0.8
    friction = 0.005  # N m s: without it a pole that falls comes up again by itself
    level = -0.1

    def __init__(self, starts_upright: bool, occluded: bool = False):
        self.starts_upright, self.hidden_components = starts_upright, ("cart", "pole") if occluded else ()

    def initial_body(self, uniform):
        around = 0 if self.starts_upright else np.pi
        pole = around + rescale(uniform[1], -0.1, 0.1)
        cart = rescale(uniform[0], -0.7, -0.45) if self.hidden_components else rescale(uniform[0], -0.4, 0.4)
        return [cart, pole, 0 * pole, rescale(uniform[2], -0.1, 0.1)]

    def derivatives(self, body: Body, push: np.ndarray) -> Body:
        """The pole is a uniform rod: 4/3 is its moment of inertia about its end, in masses times half lengths squared."""
        _, angle, v, spin = body
        sin, cos, mass = np.sin(angle), np.cos(angle), self.cart + self.pole
        pushed = (push + self.pole * self.half * spin * spin * sin) / mass
        falling = GRAVITY * sin - self.friction / (self.pole * self.half) * spin - cos * pushed
        turning = falling / (self.half * (4 / 3 - self.pole * cos * cos / mass))
        return np.stack([v, spin, pushed - self.pole * self.half * turning * cos / mass, turning])

    def advance(self, body, action):
        body = runge_kutta(lambda body: self.derivatives(body, self.force * action[0]), body, self.substep)
        body[0], body[2] = reflect_at_walls(body[0], body[2], self.edge)
        return body

    def reward(self, body):
        upright = tolerance(np.cos(body[1]), (0.97, 1), 0.4 if self.starts_upright else 1)
        middle = (-0.1, 0.1) if self.hidden_components else (-0.3, 0.3)
        return upright * (0.3 + 0.7 * tolerance(body[0], middle, 0.5))

    def shapes(self, body, steps):
        x, y = body[0] + 2 * self.half * np.sin(body[1]), self.level + 2 * self.half * np.cos(body[1])
        rail, cart = Box(0, self.level, 1, 0.02, FIXED), Box(body[0], self.level, 0.16, 0.09, DRIVEN)
        shapes = [rail, cart, Bar(body[0], self.level, x, y, 0.045, FREE)]
        return [*shapes, Box(0, 0, 0.25, 1, FIXED)] if self.hidden_components else shapes


class Arm(ControlTask):
    """Two uniform rods of 1 kg, hinged end to end; torques at the first hinge, if it has a motor, and at the second.

    With both angles from upright, gap their difference, A, B, C the inertias and P, Q the weights' moments, Lagrange's
    equations are A a'' + B cos(gap) b'' = -B sin(gap) b'^2 + P sin a + torque on the first rod, and
    B cos(gap) a'' + C b'' = B sin(gap) a'^2 + Q sin b + torque on the second (Spong 1995, in absolute angles).
    """

    components: ClassVar = {"first": "angle", "second": "angle", "first_speed": "velocity", "second_speed": "velocity"}
    rod = 0.45
    gravity, damping = GRAVITY, 0.0
    torques = (0.0, 4.0)

    def derivatives(self, body: Body, first: np.ndarray, second: np.ndarray) -> Body:
        """`first`, `second`: torques of the hinges; each acts on the rod beyond it, and back on the one before."""
        a, b, da, db = body[:4]
        square, sin, cos = self.rod * self.rod, np.sin(a - b), np.cos(a - b)
        inertia, coupling, second_inertia = 4 / 3 * square, square / 2 * cos, square / 3
        first, second = first - self.damping * da, second - self.damping * (db - da)
        on_a = -square / 2 * sin * db * db + 1.5 * self.rod * self.gravity * np.sin(a) + first - second
        on_b = square / 2 * sin * da * da + 0.5 * self.rod * self.gravity * np.sin(b) + second
        scale = 1 / (inertia * second_inertia - coupling * coupling)
        return np.stack(
            [da, db, scale * (second_inertia * on_a - coupling * on_b), scale * (inertia * on_b - coupling * on_a)]
        )

    def energy(self, body: Body) -> np.ndarray:
        """Joules; [N]"""
        a, b, da, db = body[:4]
        moving = 2 / 3 * da * da + db * db / 6 + np.cos(a - b) * da * db / 2
        return self.rod * self.rod * moving + self.rod * self.gravity * (1.5 * np.cos(a) + 0.5 * np.cos(b))

    def advance(self, body, action):
        first, second = (self.torques[0] * action[0], self.torques[1] * action[-1])
        moved = runge_kutta(lambda body: self.derivatives(body, first, second), body[:4], self.substep)
        return np.concatenate([moved, body[4:]])

    def joints(self, body: Body) -> tuple[np.ndarray, ...]:
        """x and y of the elbow, x and y of the tip"""
        x, y = self.rod * np.sin(body[0]), self.rod * np.cos(body[0])
        return x, y, x + self.rod * np.sin(body[1]), y + self.rod * np.cos(body[1])

    def shapes(self, body, steps):
        x, y, tip_x, tip_y = self.joints(body)
        rods = [Bar(0, 0, x, y, 0.06, DRIVEN), Bar(x, y, tip_x, tip_y, 0.05, FREE)]
        return [*rods, Disc(0, 0, 0.09, FIXED), Disc(x, y, 0.06, FIXED)]


class Acrobot(Arm):
    """Swing the hanging arm's tip up with a motor at the second hinge alone."""

    num_draws = 4

    def initial_body(self, uniform):
        return [*(np.pi + rescale(uniform[:2], -0.3, 0.3)), *rescale(uniform[2:], -0.1, 0.1)]

    def reward(self, body):
        _, _, x, y = self.joints(body)
        return tolerance(norm(x, y - 2 * self.rod), (0, 0.25), 0.8)


class Reacher(Arm):
    """Hold the tip of an arm, which lies flat, on a disc. `glimpses`: the disc is drawn in so many first steps, if not 0."""

    components: ClassVar = Arm.components | {"target_x": "target", "target_y": "target"}
    num_actions, num_draws = 2, 4
    gravity, damping = 0.0, 0.6
    torques = (3.0, 1.5)

    def __init__(self, glimpses: int = 0):
        self.glimpses, self.hidden_components = glimpses, ("target_x", "target_y") if glimpses else ()

    def initial_body(self, uniform):
        a, b, direction = rescale(uniform[:3], -np.pi, np.pi)
        distance = rescale(uniform[3], 0.3, 0.85)
        return [a, b, 0 * a, 0 * a, distance * np.cos(direction), distance * np.sin(direction)]

    def reward(self, body):
        _, _, x, y = self.joints(body)
        return tolerance(norm(x - body[4], y - body[5]), (0, 0.08), 0.5)

    def shapes(self, body, steps):
        opacity = (steps < self.glimpses).astype(np.float32) if self.glimpses else 1.0
        return [Disc(body[4], body[5], 0.13, TARGET, opacity), *super().shapes(body, steps)]
