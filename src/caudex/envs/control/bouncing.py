"""Control tasks of what falls and bounces: ball and cup, ball and plate, hopper."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from caudex.envs.control.drawing import DRIVEN, FIXED, FREE, TARGET, Bar, Box, Disc
from caudex.envs.control.mechanics import GRAVITY, PLACE, SPEED, Task, apart, length, spread, stopped, tolerance


class Catch(Task):
    """Swing a ball, which hangs from a cup by a string, into the cup; the string passes through its walls."""

    parts: ClassVar = (
        PLACE
        | SPEED
        | {"ball_x": "position", "ball_y": "position"}
        | {"ball_x_speed": "velocity", "ball_y_speed": "velocity", "touch": "contact"}
    )
    actions, draws = 2, 3
    push, drag, edge = 20.0, 4.0, 0.45
    ball, string, wide, high, thick = 0.075, 0.5, 0.15, 0.11, 0.03  # radius, length; the cup's halves, its wall's half

    def start(self, chance):
        swing = spread(chance[2], -0.5, 0.5)
        x, y = spread(chance[0], -0.3, 0.3), spread(chance[1], 0, 0.3)
        nothing = 0 * x
        ball = [x + self.string * np.sin(swing), y - self.high - self.string * np.cos(swing)]
        return [x, y, nothing, nothing, *ball, nothing, nothing, nothing]

    def move(self, body, action):
        speed = body[2:4] + self.substep * (self.push * action - self.drag * body[2:4])
        at, speed = stopped(body[:2] + self.substep * speed, speed, self.edge)
        rate = body[6:8] - speed  # of the ball, as seen from the cup, which is held and does not feel it
        rate[1] -= self.substep * GRAVITY
        place = body[4:6] + self.substep * body[6:8] - at
        place[1] -= self.substep * self.substep * GRAVITY
        touch = np.zeros(place.shape[1], bool)
        for x, y, to_x, to_y in self.walls():
            part = ((place[0] - x) * (to_x - x) + (place[1] - y) * (to_y - y)) / ((to_x - x) ** 2 + (to_y - y) ** 2)
            part = np.clip(part, 0, 1)
            across, up, deep = apart(
                place[0] - x - part * (to_x - x), place[1] - y - part * (to_y - y), self.ball + self.thick
            )
            place, rate = self.bounced(place, rate, np.stack([across, up]), deep, 0.3)
            touch |= deep > 0
        hook = np.stack([place[0], place[1] + self.high])
        far = np.maximum(length(*hook), 1e-9)
        place, rate = self.bounced(place, rate, -hook / far, np.maximum(far - self.string, 0), 0.0)
        return np.concatenate([at, speed, place + at, rate + speed, touch[None]])

    def walls(self) -> list[tuple[float, float, float, float]]:
        """Left, bottom and right, from and to, as seen from the cup's middle."""
        w, h = self.wide, self.high
        return [(-w, h, -w, -h), (-w, -h, w, -h), (w, -h, w, h)]

    def bounced(self, place, rate, normal, deep, back):
        """The ball out of what it is `deep` in, `back` of its speed turned back."""
        into = np.maximum(-(normal * rate).sum(0), 0) * (deep > 0)
        return place + deep * normal, rate + (1 + back) * into * normal

    def reward(self, body):
        rest = self.thick + self.ball - self.high  # the height of a ball that lies in the cup
        return tolerance(length(body[4] - body[0], body[5] - body[1] - rest), (0, 0.09), 0.3)

    def shapes(self, body, steps):
        x, y = body[0], body[1]
        w, h, t = self.wide, self.high, self.thick
        walls = [Box(x - w, y, t, h + t, DRIVEN), Box(x + w, y, t, h + t, DRIVEN), Box(x, y - h, w, t, DRIVEN)]
        return [Bar(x, y - self.high, body[4], body[5], 0.02, FIXED), *walls, Disc(body[4], body[5], self.ball, FREE)]


class KeepUp(Task):
    """Keep a ball high with a plate on the ground; a ball that falls near the plate's edge flies off to that side.

    The plate gives back half as much speed again, from `least` to `throw`; beside it the ball loses its speed.
    `dark`: a cloud hides the ball where it is high.
    """

    parts: ClassVar = {"plate": "position", "plate_speed": "velocity", "ball_x": "position", "ball_y": "position"} | {
        "ball_x_speed": "velocity",
        "ball_y_speed": "velocity",
        "touch": "contact",
    }
    draws = 3
    push, drag, edge, half, ball, floor = 16.0, 4.0, 0.75, 0.2, 0.09, -0.8
    least, throw = 1.0, 5.0

    def __init__(self, dark: bool = False):
        self.hidden = ("ball_x", "ball_y") if dark else ()

    def start(self, chance):
        nothing = 0 * chance[0]
        x, rate = spread(chance[0], -0.7, 0.7), spread(chance[1], -0.6, 0.6)
        return [spread(chance[2], -0.5, 0.5), nothing, x, nothing + 0.5, rate, nothing, nothing]

    def move(self, body, action):
        speed = body[1] + self.substep * (self.push * action[0] - self.drag * body[1])
        plate, speed = stopped(body[0] + self.substep * speed, speed, self.edge)
        fall = body[5] - self.substep * GRAVITY
        x, along = stopped(body[2] + self.substep * body[4], body[4], 1 - self.ball, 0.8)
        y = body[3] + self.substep * fall
        lands, beside = (y < self.floor + self.ball) & (fall < 0), x - plate
        hit = lands & (np.abs(beside) < self.half)
        along = np.where(hit, 0.5 * along + 3 * beside, np.where(lands, 0.8 * along, along))
        fall = np.where(hit, np.clip(-1.5 * fall, self.least, self.throw), np.where(lands, -0.4 * fall, fall))
        return np.stack([plate, speed, x, np.maximum(y, self.floor + self.ball), along, fall, hit])

    def reward(self, body):
        return tolerance(body[3], (0, np.inf), 0.5)

    def shapes(self, body, steps):
        ground = Box(0, self.floor - 0.12, 1, 0.08, FIXED)
        plate, ball = Box(body[0], self.floor - 0.04, self.half, 0.05, DRIVEN), Disc(body[2], body[3], self.ball, FREE)
        return [ground, plate, ball, Box(0, 0.6, 1, 0.45, FIXED)] if self.hidden else [ground, plate, ball]


class Hopper(Task):
    """Run by hopping on one springy leg without mass (Raibert 1986): one action sets its angle in flight, one its thrust.

    The image goes along; stripes on the ground show how far it has come.
    """

    parts: ClassVar = (
        {"ground": "angle", "height": "position", "leg": "position", "leg_length": "position"}
        | SPEED
        | {"stance": "contact"}
    )
    actions, draws = 2, 3
    rest, stiffness, damping, thrust, swing, lowest = 0.55, 400.0, 3.0, 20.0, 0.7, 0.2
    stripes, level = 0.8, -0.75  # metres between stripes; where the ground is drawn

    def start(self, chance):
        nothing = 0 * chance[0]
        leg, height = spread(chance[2], -0.2, 0.2), spread(chance[1], 0.6, 0.8)
        return [spread(chance[0], -np.pi, np.pi), height, leg, nothing + self.rest, nothing, nothing, nothing]

    def move(self, body, action):
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
        stood, leaning = length(foot, y), np.arctan2(foot, y)
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
        back, y = (body[0] / (2 * np.pi) % 1) * self.stripes, self.level + body[1]
        stripes = [Box(at - back, self.level - 0.1, 0.12, 0.1, TARGET) for at in np.arange(-0.8, 1.7, self.stripes)]
        foot_x, foot_y = body[3] * np.sin(body[2]), y - body[3] * np.cos(body[2])
        leg = Bar(0, y, foot_x, foot_y, 0.045, DRIVEN)
        return [Box(0, self.level - 0.1, 1, 0.1, FIXED), *stripes, leg, Disc(0, y, 0.15, FREE)]
