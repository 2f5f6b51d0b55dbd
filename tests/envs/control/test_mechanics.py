"""Mechanics: energy and momentum are conserved."""

import numpy as np
import pytest
from helpers.control import simulate

from caudex.envs.control.mechanics import GRAVITY, Acrobot, CartPole, Pendulum, Reacher, tolerance


# what physics says
def test_a_pendulum_without_friction_keeps_its_energy():
    body = simulate(Pendulum(damping=0), [0.3, 0.0], [0], 2000)
    energy = (Pendulum.length * body[:, 1]) ** 2 / 2 + GRAVITY * Pendulum.length * np.cos(body[:, 0])
    assert np.abs(energy - energy[0]).max() < 1e-4 * GRAVITY * Pendulum.length


def test_a_small_swing_takes_two_pi_roots_of_length_over_gravity():
    angle = simulate(Pendulum(damping=0), [np.pi + 0.02, 0.0], [0], 1000)[:, 0, 0] - np.pi
    down = np.flatnonzero((angle[:-1] > 0) & (angle[1:] <= 0))  # the substeps in which it passes the bottom
    period = (down[-1] - down[0]) / (len(down) - 1) * Pendulum.substep
    assert period == pytest.approx(2 * np.pi * np.sqrt(Pendulum.length / GRAVITY), rel=0.01)


def test_a_cart_without_force_keeps_its_momentum():
    task = CartPole(starts_upright=True)
    _, pole, v, spin = simulate(task, [-0.3, 0.1, 0.1, 0.0], [0], 200).transpose(1, 0, 2)
    momentum = (task.cart + task.pole) * v + task.pole * task.half * spin * np.cos(pole)
    assert np.ptp(np.cos(pole)) > 1.9  # the pole has fallen
    assert np.ptp(momentum) < 1e-6


def test_a_cart_feels_the_whole_force():
    _, pole, v, spin = simulate(CartPole(starts_upright=False), [-0.3, np.pi, 0, 0], [0.2], 20).transpose(1, 0, 2)
    momentum = (CartPole.cart + CartPole.pole) * v + CartPole.pole * CartPole.half * spin * np.cos(pole)
    assert momentum[-1] == pytest.approx(0.2 * CartPole.force * 20 * CartPole.substep, rel=1e-4)


def test_a_free_double_pendulum_keeps_its_energy():
    task = Acrobot()
    task.substep /= 4  # its rods whirl: with whole substeps, 1% of the energy is lost in ten seconds
    bodies = simulate(task, [1.0, 2.0, 0.5, -1.0], [0], 3200)
    energy = task.energy(bodies.transpose(1, 0, 2))
    assert np.ptp(energy) < 1e-3 * task.rod * GRAVITY


def test_a_motor_between_two_rods_keeps_their_angular_momentum():
    class Free(Reacher):
        damping, torques = 0.0, (0.0, 1.5)

    a, b, da, db = simulate(Free(), [0.3, 1.2, 0.7, -0.4, 0, 0], [0, 0.2], 40)[:, :4].transpose(1, 0, 2)
    coupling = np.cos(a - b) / 2
    momentum = Free.rod**2 * ((4 / 3 + 0 * a) * da + coupling * (da + db) + db / 3)
    assert np.ptp(momentum) < 1e-4
    assert np.ptp(db) > 1


def test_tolerance_is_one_within_and_a_tenth_at_the_margin():
    rewards = tolerance(np.array([-2.0, -1, 0, 1, 1.5, 2]), (-1, 1), 0.5)
    assert rewards == pytest.approx([1 / 37, 1, 1, 1, 0.1, 1 / 37])
