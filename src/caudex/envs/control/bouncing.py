"""Control tasks of what falls and bounces: ball and cup, ball and plate, hopper."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from caudex.envs.control.drawing import DRIVEN, FIXED, FREE, TARGET, Bar, Box, Disc
from caudex.envs.control.mechanics import (
    GRAVITY,
    POSITION,
    VELOCITY,
    ControlTask,
    contact_normal,
    norm,
    reflect_at_walls,
    rescale,
    tolerance,
)


class Catch(ControlTask):
    """Swing a ball, which hangs from a cup by a string, into the cup; the string passes through its walls."""

    components: ClassVar = (
        POSITION
        | VELOCITY
        | {"ball_x": "position", "ball_y": "position"}
        | {"ball_x_speed": "velocity", "ball_y_speed": "velocity", "touch": "contact"}
    )
    num_actions, num_draws = 2, 3
    push, drag, edge = 20.0, 4.0, 0.45
    ball, string, half_width, half_height, half_thickness = (
        0.075,
        0.5,
        0.15,
        0.11,
        0.03,
    )  # radius, length; the cup's halves, its wall's half

    def initial_body(self, uniform):
        swing = rescale(uniform[2], -0.5, 0.5)
        x, y = rescale(uniform[0], -0.3, 0.3), rescale(uniform[1], 0, 0.3)
        zeros = 0 * x
        ball = [x + self.string * np.sin(swing), y - self.half_height - self.string * np.cos(swing)]
        return [x, y, zeros, zeros, *ball, zeros, zeros, zeros]

    def advance(self, body, action):
        speed = body[2:4] + self.substep * (self.push * action - self.drag * body[2:4])
        position, speed = reflect_at_walls(body[:2] + self.substep * speed, speed, self.edge)
        ball_velocity = body[6:8] - speed  # of the ball, as seen from the cup, which is held and does not feel it
        ball_velocity[1] -= self.substep * GRAVITY
        ball_position = body[4:6] + self.substep * body[6:8] - position
        ball_position[1] -= self.substep * self.substep * GRAVITY
        touch = np.zeros(ball_position.shape[1], bool)
        for x, y, to_x, to_y in self.walls():
            fraction = ((ball_position[0] - x) * (to_x - x) + (ball_position[1] - y) * (to_y - y)) / (
                (to_x - x) ** 2 + (to_y - y) ** 2
            )
            fraction = np.clip(fraction, 0, 1)
            across, up, depth = contact_normal(
                ball_position[0] - x - fraction * (to_x - x),
                ball_position[1] - y - fraction * (to_y - y),
                self.ball + self.half_thickness,
            )
            ball_position, ball_velocity = self.bounce(ball_position, ball_velocity, np.stack([across, up]), depth, 0.3)
            touch |= depth > 0
        hook = np.stack([ball_position[0], ball_position[1] + self.half_height])
        distance = np.maximum(norm(*hook), 1e-9)
        ball_position, ball_velocity = self.bounce(
            ball_position, ball_velocity, -hook / distance, np.maximum(distance - self.string, 0), 0.0
        )
        return np.concatenate([position, speed, ball_position + position, ball_velocity + speed, touch[None]])

    def walls(self) -> list[tuple[float, float, float, float]]:
        """Left, bottom and right, from and to, as seen from the cup's middle."""
        w, h = self.half_width, self.half_height
        return [(-w, h, -w, -h), (-w, -h, w, -h), (w, -h, w, h)]

    def bounce(self, ball_position, ball_velocity, normal, depth, restitution):
        """Push the ball out by `depth`; `restitution` is the share of its inward speed that is reflected."""
        inward = np.maximum(-(normal * ball_velocity).sum(0), 0) * (depth > 0)
        return ball_position + depth * normal, ball_velocity + (1 + restitution) * inward * normal

    def reward(self, body):
        rest = self.half_thickness + self.ball - self.half_height  # the height of a ball that lies in the cup
        return tolerance(norm(body[4] - body[0], body[5] - body[1] - rest), (0, 0.09), 0.3)

    def shapes(self, body, steps):
        x, y = body[0], body[1]
        w, h, t = self.half_width, self.half_height, self.half_thickness
        walls = [Box(x - w, y, t, h + t, DRIVEN), Box(x + w, y, t, h + t, DRIVEN), Box(x, y - h, w, t, DRIVEN)]
        return [
            Bar(x, y - self.half_height, body[4], body[5], 0.02, FIXED),
            *walls,
            Disc(body[4], body[5], self.ball, FREE),
        ]


class KeepUp(ControlTask):
    """Keep a ball high with a plate on the ground; a ball that falls near the plate's edge flies off to that side.

    The plate gives back half as much speed again, from `min_bounce` to `max_bounce`; beside it the ball loses its speed.
    `occluded`: a cloud hides the ball where it is high.
    """

    components: ClassVar = {
        "plate": "position",
        "plate_speed": "velocity",
        "ball_x": "position",
        "ball_y": "position",
    } | {
        "ball_x_speed": "velocity",
        "ball_y_speed": "velocity",
        "touch": "contact",
    }
    num_draws = 3
    push, drag, edge, half, ball, floor = 16.0, 4.0, 0.75, 0.2, 0.09, -0.8
    min_bounce, max_bounce = 1.0, 5.0

    def __init__(self, occluded: bool = False):
        self.hidden_components = ("ball_x", "ball_y") if occluded else ()

    def initial_body(self, uniform):
        zeros = 0 * uniform[0]
        x, ball_velocity = rescale(uniform[0], -0.7, 0.7), rescale(uniform[1], -0.6, 0.6)
        return [rescale(uniform[2], -0.5, 0.5), zeros, x, zeros + 0.5, ball_velocity, zeros, zeros]

    def advance(self, body, action):
        speed = body[1] + self.substep * (self.push * action[0] - self.drag * body[1])
        plate, speed = reflect_at_walls(body[0] + self.substep * speed, speed, self.edge)
        fall = body[5] - self.substep * GRAVITY
        x, along = reflect_at_walls(body[2] + self.substep * body[4], body[4], 1 - self.ball, 0.8)
        y = body[3] + self.substep * fall
        lands, beside = (y < self.floor + self.ball) & (fall < 0), x - plate
        hit = lands & (np.abs(beside) < self.half)
        along = np.where(hit, 0.5 * along + 3 * beside, np.where(lands, 0.8 * along, along))
        fall = np.where(hit, np.clip(-1.5 * fall, self.min_bounce, self.max_bounce), np.where(lands, -0.4 * fall, fall))
        return np.stack([plate, speed, x, np.maximum(y, self.floor + self.ball), along, fall, hit])

    def reward(self, body):
        return tolerance(body[3], (0, np.inf), 0.5)

    def shapes(self, body, steps):
        ground = Box(0, self.floor - 0.12, 1, 0.08, FIXED)
        plate, ball = Box(body[0], self.floor - 0.04, self.half, 0.05, DRIVEN), Disc(body[2], body[3], self.ball, FREE)
        return [ground, plate, ball, Box(0, 0.6, 1, 0.45, FIXED)] if self.hidden_components else [ground, plate, ball]


class Hopper(ControlTask):
    """Run by hopping on one springy leg without mass (Raibert 1986): one action sets its angle in flight, one its thrust.

    The image follows it; stripes on the ground show how far it has come.
    """

    components: ClassVar = (
        {"ground": "angle", "height": "position", "leg": "position", "leg_length": "position"}
        | VELOCITY
        | {"stance": "contact"}
    )
    num_actions, num_draws = 2, 3
    rest, stiffness, damping, thrust, swing, lowest = 0.55, 400.0, 3.0, 20.0, 0.7, 0.2
    stripes, level = 0.8, -0.75  # metres between stripes; where the ground is drawn

    def initial_body(self, uniform):
        zeros = 0 * uniform[0]
        leg, height = rescale(uniform[2], -0.2, 0.2), rescale(uniform[1], 0.6, 0.8)
        return [rescale(uniform[0], -np.pi, np.pi), height, leg, zeros + self.rest, zeros, zeros, zeros]

    def advance(self, body, action):
        ground, y, leg, long, forward, up, stands = body
        sin, cos = np.sin(leg), np.cos(leg)
        shortening = -(up * cos - forward * sin)
        force = self.stiffness * (self.rest - long) + self.damping * shortening + self.thrust * np.maximum(action[1], 0)
        force = np.maximum(force, 0) * stands
        forward = forward - self.substep * force * sin  # 1 kg; the leg leans forwards by `leg`, and pushes back
        up = up + self.substep * (force * cos - GRAVITY)
        foot = long * sin - self.substep * forward
        y = y + self.substep * up
        fallen = y < self.lowest
        y, up = np.maximum(y, self.lowest), np.where(fallen, np.maximum(up, 0), up)
        forward = np.where(fallen, 0.8 * forward, forward)
        stood, leaning = norm(foot, y), np.arctan2(foot, y)
        stays = (stands > 0) & (stood < self.rest) & (np.abs(leaning) < 1.2)
        swung = leg + self.substep / 0.06 * (self.swing * action[0] - leg)
        leg = np.where(stays, leaning, np.where(stands > 0, np.clip(leaning, -1.2, 1.2), swung))
        lands = ~stays & (y < self.rest * np.cos(leg)) & (up < 0)
        long = np.where(stays, stood, np.where(lands, y / np.cos(leg), self.rest))
        return np.stack(
            [ground + 2 * np.pi / self.stripes * self.substep * forward, y, leg, long, forward, up, stays | lands]
        )

    def reward(self, body):
        return tolerance(body[4], (1, np.inf), 0.7) * tolerance(body[1], (0.4, np.inf), 0.3)

    def shapes(self, body, steps):
        scroll, y = (body[0] / (2 * np.pi) % 1) * self.stripes, self.level + body[1]
        stripes = [
            Box(position - scroll, self.level - 0.1, 0.12, 0.1, TARGET)
            for position in np.arange(-0.8, 1.7, self.stripes)
        ]
        foot_x, foot_y = body[3] * np.sin(body[2]), y - body[3] * np.cos(body[2])
        leg = Bar(0, y, foot_x, foot_y, 0.045, DRIVEN)
        return [Box(0, self.level - 0.1, 1, 0.1, FIXED), *stripes, leg, Disc(0, y, 0.15, FREE)]
