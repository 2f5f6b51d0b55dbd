"""Control tasks seen from above: point mass, puck, spinner."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from caudex.envs.control.drawing import DRIVEN, FIXED, FREE, TABLE, TARGET, Bar, Box, Disc
from caudex.envs.control.mechanics import (
    GOAL,
    POSITION,
    VELOCITY,
    ControlTask,
    contact_normal,
    norm,
    reflect_at_walls,
    rescale,
    tolerance,
)


class PointMass(ControlTask):
    """Push a mass onto a disc and hold it on_target. `drift`: how fast the air may move, m/s; nothing shows it."""

    num_actions, num_draws = 2, 6
    push, drag, edge = 4.0, 1.5, 0.9

    def __init__(self, drift: float = 0.0):
        self.drift, self.hidden_components = drift, ("drift_x", "drift_y") if drift else ()
        self.components = POSITION | VELOCITY | GOAL | ({"drift_x": "velocity", "drift_y": "velocity"} if drift else {})

    def initial_body(self, uniform):
        position, goal = rescale(uniform[:2], -0.8, 0.8), rescale(uniform[2:4], -0.7, 0.7)
        rows = [*position, *(0 * position), *goal]
        return [*rows, *rescale(uniform[4:], -self.drift, self.drift)] if self.drift else rows

    def advance(self, body, action):
        air = body[6:] if self.drift else 0
        speed = body[2:4] + self.substep * (self.push * action - self.drag * (body[2:4] - air))
        return np.concatenate([*reflect_at_walls(body[:2] + self.substep * speed, speed, self.edge), body[4:]])

    def reward(self, body):
        return tolerance(norm(*(body[:2] - body[4:6])), (0, 0.08), 0.5)

    def shapes(self, body, steps):
        return [Disc(body[4], body[5], 0.15, TARGET), Disc(body[0], body[1], 0.09, DRIVEN)]


class Push(ControlTask):
    """Push a puck, which the table slows, onto a disc with a round pusher.

    The table's rim turns the puck back; the pusher gets beyond it, and so behind any puck.
    """

    components: ClassVar = (
        POSITION
        | VELOCITY
        | {"puck_x": "position", "puck_y": "position"}
        | {"puck_x_speed": "velocity", "puck_y_speed": "velocity"}
        | GOAL
        | {"touch": "contact"}
    )
    num_actions, num_draws = 2, 6
    push, drag, friction, edge, rim = 6.0, 3.0, 3.0, 0.88, 0.75
    pusher, puck = 0.10, 0.15  # radii

    def initial_body(self, uniform):
        angle, distance = rescale(uniform[4], -np.pi, np.pi), rescale(uniform[5], 0.35, 0.6)
        puck = rescale(uniform[:2], -0.45, 0.45)
        position = puck + distance * np.stack([np.cos(angle), np.sin(angle)])
        return [
            *np.clip(position, -self.edge, self.edge),
            *(0 * puck),
            *puck,
            *(0 * puck),
            *rescale(uniform[2:4], -0.5, 0.5),
            0 * distance,
        ]

    def advance(self, body, action):
        position, speed, puck, sliding = body[:2], body[2:4], body[4:6], body[6:8]
        speed = speed + self.substep * (self.push * action - self.drag * speed)
        sliding = sliding * (1 - self.substep * self.friction)
        across, up, depth = contact_normal(*(puck - position), self.pusher + self.puck)
        normal, touches = np.stack([across, up]), depth > 0
        closing = np.maximum((normal * (speed - sliding)).sum(0), 0) * touches
        speed, sliding = speed - 0.5 * closing * normal, sliding + 0.5 * closing * normal  # equal masses, no bounce
        position, puck = position - 0.5 * depth * normal, puck + 0.5 * depth * normal
        position, speed = reflect_at_walls(position + self.substep * speed, speed, self.edge)
        puck, sliding = reflect_at_walls(puck + self.substep * sliding, sliding, self.rim - self.puck, 0.5)
        return np.concatenate([position, speed, puck, sliding, body[8:10], touches[None]])

    def reward(self, body):
        on_target = tolerance(norm(*(body[4:6] - body[8:10])), (0, 0.08), 0.5)
        near = tolerance(norm(*(body[:2] - body[4:6])), (0, self.pusher + self.puck), 0.6)
        return on_target * (0.9 + 0.1 * near)

    def shapes(self, body, steps):
        goal, puck = Disc(body[8], body[9], 0.17, TARGET), Disc(body[4], body[5], self.puck, FREE)
        ring = Disc(body[8], body[9], 0.07, FIXED)
        return [Box(0, 0, self.rim, self.rim, TABLE), goal, puck, ring, Disc(body[0], body[1], self.pusher, DRIVEN)]


class Spinner(ControlTask):
    """Keep a bar turning counter-clockwise on its pivot by hitting it with a finger."""

    components = POSITION | VELOCITY | {"bar": "angle", "bar_speed": "velocity", "touch": "contact"}
    num_actions, num_draws = 2, 3
    push, drag, friction, edge = 15.0, 3.0, 0.5, 0.85
    finger, half, half_thickness, inertia = 0.10, 0.5, 0.06, 0.15

    def initial_body(self, uniform):
        angle, direction = rescale(uniform[:2], -np.pi, np.pi)
        distance = rescale(uniform[2], 0.7, 0.85)
        return [
            distance * np.cos(direction),
            distance * np.sin(direction),
            0 * distance,
            0 * distance,
            angle,
            0 * distance,
            0 * distance,
        ]

    def advance(self, body, action):
        position, speed, angle = body[:2], body[2:4], body[4]
        speed = speed + self.substep * (self.push * action - self.drag * speed)
        spin = body[5] * (1 - self.substep * self.friction)
        x, y = np.sin(angle), np.cos(angle)  # along the bar
        along = np.clip(position[0] * x + position[1] * y, -self.half, self.half)
        closest = along * np.stack([x, y])
        normal_x, normal_y, depth = contact_normal(*(position - closest), self.finger + self.half_thickness)
        lever = normal_x * closest[1] - normal_y * closest[0]  # angles go clockwise
        closing = np.maximum(spin * lever - speed[0] * normal_x - speed[1] * normal_y, 0) * (depth > 0)
        blow = 1.3 * closing / (1 + lever * lever / self.inertia)  # the finger has 1 kg; 0.3 of the speed comes back
        normal = np.stack([normal_x, normal_y])
        speed, spin = speed + blow * normal, spin - blow * lever / self.inertia
        position, speed = reflect_at_walls(position + depth * normal + self.substep * speed, speed, self.edge)
        return np.concatenate([position, speed, [angle + self.substep * spin, spin, depth > 0]])

    def reward(self, body):
        return tolerance(-body[5], (5, np.inf), 3.5)

    def shapes(self, body, steps):
        x, y = self.half * np.sin(body[4]), self.half * np.cos(body[4])
        bar, end = Bar(-x, -y, x, y, self.half_thickness, FREE), Disc(x, y, self.half_thickness + 0.03, TARGET)
        return [bar, end, Disc(0, 0, 0.07, FIXED), Disc(body[0], body[1], self.finger, DRIVEN)]
