"""What bounces: balls, plates and hoppers."""

import numpy as np
from helpers.control import simulate

from caudex.envs.control.bouncing import Catch, Hopper, KeepUp


def test_a_ball_on_a_string_stays_within_its_length_and_one_in_the_cup_stays_there():
    task = Catch()
    action = [1, 0.3]
    body = simulate(task, [0, 0, 0, 0, 0.1, -task.half_height - 0.45, 2, 0, 0], action, 200)
    assert np.hypot(body[:, 4] - body[:, 0], body[:, 5] - body[:, 1] + task.half_height).max() < task.string + 1e-9
    inside = simulate(task, [0, 0, 0, 0, 0.03, 0, 0, 0, 0], action, 200)
    assert task.reward(inside[-1]) == 1 and inside[-1, 8, 0] == 1


def test_a_plate_throws_the_ball_up_and_the_ground_does_not():
    on, beside = ([x, 0, 0.1, 0, 0, 0, 0] for x in (0.1, -0.7))
    assert simulate(KeepUp(), on, [0], 120)[60:, 3].max() > 0.3
    assert simulate(KeepUp(), beside, [0], 120)[60:, 3].max() < -0.3


def test_a_hopper_thrusts_itself_off_the_ground_and_runs_where_it_leans():
    task, bodies = Hopper(), [np.array([[0], [0.6], [0], [Hopper.rest], [0], [0], [0]])]
    for _ in range(800):
        up, forward = bodies[-1][5], bodies[-1][4]
        lean = 0.3 * (forward - 1) + 0.1 * forward  # the foot further ahead the faster it runs (Raibert 1986)
        bodies.append(task.advance(bodies[-1], np.stack([lean, up > 0])))
    ground, height = np.stack(bodies)[:, :2, 0].T
    assert height[400:].max() > Hopper.rest + 0.05 > height[400:].min()
    assert ground[-1] * Hopper.stripes / (2 * np.pi) > 5  # metres, in ten seconds
