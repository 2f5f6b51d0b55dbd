"""Control tasks with walls, blows and balls. Metres, seconds, kilograms, radians; a number is an array [N].

Bodies move by the semi-implicit Euler method: the velocities first, then the places with the new velocities. What
touches exchanges impulses along the normal, so that no spring has to be stiff (Baraff 1997).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from caudex.worlds.drawing import DRIVEN, FIXED, FREE, TABLE, TARGET, Bar, Box, Disc
from caudex.worlds.mechanics import GRAVITY, Task, length, spread, stopped, tolerance

PLACE = {"x": "position", "y": "position"}
SPEED = {"x_speed": "velocity", "y_speed": "velocity"}
GOAL = {"target_x": "target", "target_y": "target"}


def apart(x: np.ndarray, y: np.ndarray, wanted: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The unit vector along (x, y), and how much is lacking to the wanted distance: 0 where nothing touches."""
    distance = np.maximum(length(x, y), 1e-9)
    return x / distance, y / distance, np.maximum(wanted - distance, 0)


class PointMass(Task):
    """Push a mass onto a disc and hold it there. `drift`: how fast the air may move, m/s; nothing shows it."""

    actions, draws = 2, 6
    push, drag, edge = 4.0, 1.5, 0.9

    def __init__(self, drift: float = 0.0):
        self.drift, self.hidden = drift, ("drift_x", "drift_y") if drift else ()
        self.parts = PLACE | SPEED | GOAL | ({"drift_x": "velocity", "drift_y": "velocity"} if drift else {})

    def start(self, chance):
        at, goal = spread(chance[:2], -0.8, 0.8), spread(chance[2:4], -0.7, 0.7)
        rows = [*at, *(0 * at), *goal]
        return [*rows, *spread(chance[4:], -self.drift, self.drift)] if self.drift else rows

    def move(self, body, action):
        air = body[6:] if self.drift else 0
        speed = body[2:4] + self.substep * (self.push * action - self.drag * (body[2:4] - air))
        return np.concatenate([*stopped(body[:2] + self.substep * speed, speed, self.edge), body[4:]])

    def reward(self, body):
        return tolerance(length(*(body[:2] - body[4:6])), (0, 0.08), 0.35)

    def shapes(self, body, steps):
        return [Disc(body[4], body[5], 0.15, TARGET), Disc(body[0], body[1], 0.09, DRIVEN)]


class Push(Task):
    """Push a puck, which the table slows, onto a disc with a round pusher.

    The table's rim turns the puck back; the pusher gets beyond it, and so behind any puck.
    """

    parts: ClassVar = (
        PLACE
        | SPEED
        | {"puck_x": "position", "puck_y": "position"}
        | {"puck_x_speed": "velocity", "puck_y_speed": "velocity"}
        | GOAL
        | {"touch": "contact"}
    )
    actions, draws = 2, 6
    push, drag, slowing, edge, rim = 6.0, 3.0, 3.0, 0.88, 0.75
    pusher, puck = 0.10, 0.15  # radii

    def start(self, chance):
        turn, far = spread(chance[4], -np.pi, np.pi), spread(chance[5], 0.35, 0.6)
        puck = spread(chance[:2], -0.45, 0.45)
        at = puck + far * np.stack([np.cos(turn), np.sin(turn)])
        return [
            *np.clip(at, -self.edge, self.edge),
            *(0 * puck),
            *puck,
            *(0 * puck),
            *spread(chance[2:4], -0.5, 0.5),
            0 * far,
        ]

    def move(self, body, action):
        at, speed, puck, sliding = body[:2], body[2:4], body[4:6], body[6:8]
        speed = speed + self.substep * (self.push * action - self.drag * speed)
        sliding = sliding * (1 - self.substep * self.slowing)
        across, up, deep = apart(*(puck - at), self.pusher + self.puck)
        normal, touches = np.stack([across, up]), deep > 0
        closing = np.maximum((normal * (speed - sliding)).sum(0), 0) * touches
        speed, sliding = speed - 0.5 * closing * normal, sliding + 0.5 * closing * normal  # equal masses, no bounce
        at, puck = at - 0.5 * deep * normal, puck + 0.5 * deep * normal
        at, speed = stopped(at + self.substep * speed, speed, self.edge)
        puck, sliding = stopped(puck + self.substep * sliding, sliding, self.rim - self.puck, 0.5)
        return np.concatenate([at, speed, puck, sliding, body[8:10], touches[None]])

    def reward(self, body):
        there = tolerance(length(*(body[4:6] - body[8:10])), (0, 0.08), 0.35)
        near = tolerance(length(*(body[:2] - body[4:6])), (0, self.pusher + self.puck), 0.6)
        return there * (0.9 + 0.1 * near)

    def shapes(self, body, steps):
        goal, puck = Disc(body[8], body[9], 0.17, TARGET), Disc(body[4], body[5], self.puck, FREE)
        ring = Disc(body[8], body[9], 0.07, FIXED)
        return [Box(0, 0, self.rim, self.rim, TABLE), goal, puck, ring, Disc(body[0], body[1], self.pusher, DRIVEN)]


class Spinner(Task):
    """Keep a bar turning counter-clockwise on its pivot by hitting it with a finger."""

    parts = PLACE | SPEED | {"bar": "angle", "bar_speed": "velocity", "touch": "contact"}
    actions, draws = 2, 3
    push, drag, slowing, edge = 15.0, 3.0, 0.5, 0.85
    finger, half, thick, inertia = 0.10, 0.5, 0.06, 0.15

    def start(self, chance):
        turn, way = spread(chance[:2], -np.pi, np.pi)
        far = spread(chance[2], 0.7, 0.85)
        return [far * np.cos(way), far * np.sin(way), 0 * far, 0 * far, turn, 0 * far, 0 * far]

    def move(self, body, action):
        at, speed, turn = body[:2], body[2:4], body[4]
        speed = speed + self.substep * (self.push * action - self.drag * speed)
        spin = body[5] * (1 - self.substep * self.slowing)
        x, y = np.sin(turn), np.cos(turn)  # along the bar
        along = np.clip(at[0] * x + at[1] * y, -self.half, self.half)
        nearest = along * np.stack([x, y])
        normal_x, normal_y, deep = apart(*(at - nearest), self.finger + self.thick)
        lever = normal_x * nearest[1] - normal_y * nearest[0]  # angles go clockwise
        closing = np.maximum(spin * lever - speed[0] * normal_x - speed[1] * normal_y, 0) * (deep > 0)
        blow = 1.3 * closing / (1 + lever * lever / self.inertia)  # the finger has 1 kg; 0.3 of the speed comes back
        normal = np.stack([normal_x, normal_y])
        speed, spin = speed + blow * normal, spin - blow * lever / self.inertia
        at, speed = stopped(at + deep * normal + self.substep * speed, speed, self.edge)
        return np.concatenate([at, speed, [turn + self.substep * spin, spin, deep > 0]])

    def reward(self, body):
        return tolerance(-body[5], (5, np.inf), 3.5)

    def shapes(self, body, steps):
        x, y = self.half * np.sin(body[4]), self.half * np.cos(body[4])
        bar, end = Bar(-x, -y, x, y, self.thick, FREE), Disc(x, y, self.thick + 0.03, TARGET)
        return [bar, end, Disc(0, 0, 0.07, FIXED), Disc(body[0], body[1], self.finger, DRIVEN)]


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
        return tolerance(length(body[4] - body[0], body[5] - body[1] - rest), (0, 0.09), 0.16)

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

    The picture goes along; stripes on the ground show how far it has come.
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
