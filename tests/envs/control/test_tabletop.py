"""Masses on a table."""

import numpy as np
from helpers.control import simulate

from caudex.envs.control.tabletop import PointMass, Push, Spinner


def test_air_that_moves_carries_the_mass_along():
    speed = simulate(PointMass(drift=1.0), [-0.8, 0, 0, 0, 0, 0, 0.3, 0], [0, 0], 120)[:, 2, 0]
    assert 0.2 < speed[-1] < 0.3 and (np.diff(speed) > 0).all()


def test_a_push_hands_on_its_momentum_and_a_spinner_turns_the_way_it_is_hit():
    class Ice(Push):
        drag = friction = 0.0

    speed = simulate(Ice(), [-0.5, 0.02, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0], 60)
    assert np.allclose(speed[:, 2:4] + speed[:, 6:8], [[[1], [0]]]) and speed[-1, 6, 0] > 0.4
    hit = simulate(Spinner(), [-0.3, 0.4, 2, 0, 0, 0, 0], [0, 0], 40)  # from the left, above the pivot: clockwise
    assert hit[-1, 5, 0] > 0.5 and hit[:, 6].max() == 1
    assert Spinner().reward(-hit[-1]) > Spinner().reward(hit[-1])
