import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caudex.core.errors import CaudexError
from caudex.envs.control.bouncing import Catch, Hopper, KeepUp
from caudex.envs.control.drawing import Bar, Box, Canvas, Disc
from caudex.envs.control.mechanics import GRAVITY, Acrobot, CartPole, Pendulum, Reacher, tolerance
from caudex.envs.control.suite import STEPS, TASKS, Control
from caudex.envs.control.tabletop import PointMass, Push, Spinner
from caudex.envs.random_streams import chances

ALL = np.ones(1, bool)
EACH = pytest.mark.parametrize("task", TASKS)


def begun(task, seeds, pixels=False):
    env = Control(task, len(seeds), pixels, size=24)
    env.reset(np.asarray(seeds), np.ones(len(seeds), bool))
    return env


def moved(task, rows, action, substeps):
    """All bodies on the way [T, P, N], of one that starts with these rows."""
    bodies = [np.array(rows, float)[:, None]]
    for _ in range(substeps):
        bodies.append(task.move(bodies[-1], np.array(action, float)[:, None]))
    return np.stack(bodies)


# what physics says


def test_a_pendulum_without_friction_keeps_its_energy():
    body = moved(Pendulum(damping=0), [0.3, 0.0], [0], 2000)
    energy = (Pendulum.length * body[:, 1]) ** 2 / 2 + GRAVITY * Pendulum.length * np.cos(body[:, 0])
    assert np.abs(energy - energy[0]).max() < 1e-4 * GRAVITY * Pendulum.length


def test_a_small_swing_takes_two_pi_roots_of_length_over_gravity():
    angle = moved(Pendulum(damping=0), [np.pi + 0.02, 0.0], [0], 1000)[:, 0, 0] - np.pi
    down = np.flatnonzero((angle[:-1] > 0) & (angle[1:] <= 0))  # the substeps in which it passes the bottom
    period = (down[-1] - down[0]) / (len(down) - 1) * Pendulum.substep
    assert period == pytest.approx(2 * np.pi * np.sqrt(Pendulum.length / GRAVITY), rel=0.01)


def test_a_cart_without_force_keeps_its_momentum():
    task = CartPole(up=True)
    _, pole, v, spin = moved(task, [-0.3, 0.1, 0.1, 0.0], [0], 200).transpose(1, 0, 2)
    momentum = (task.cart + task.pole) * v + task.pole * task.half * spin * np.cos(pole)
    assert np.ptp(np.cos(pole)) > 1.9  # the pole has fallen
    assert np.ptp(momentum) < 1e-6


def test_a_cart_feels_the_whole_force():
    _, pole, v, spin = moved(CartPole(up=False), [-0.3, np.pi, 0, 0], [0.2], 20).transpose(1, 0, 2)
    momentum = (CartPole.cart + CartPole.pole) * v + CartPole.pole * CartPole.half * spin * np.cos(pole)
    assert momentum[-1] == pytest.approx(0.2 * CartPole.force * 20 * CartPole.substep, rel=1e-4)


def test_a_free_double_pendulum_keeps_its_energy():
    task = Acrobot()
    task.substep /= 4  # its rods whirl: with whole substeps, 1% of the energy is lost in ten seconds
    bodies = moved(task, [1.0, 2.0, 0.5, -1.0], [0], 3200)
    energy = task.energy(bodies.transpose(1, 0, 2))
    assert np.ptp(energy) < 1e-3 * task.rod * GRAVITY


def test_a_motor_between_two_rods_keeps_their_angular_momentum():
    class Free(Reacher):
        damping, torques = 0.0, (0.0, 1.5)

    a, b, da, db = moved(Free(), [0.3, 1.2, 0.7, -0.4, 0, 0], [0, 0.2], 40)[:, :4].transpose(1, 0, 2)
    coupling = np.cos(a - b) / 2
    momentum = Free.rod**2 * ((4 / 3 + 0 * a) * da + coupling * (da + db) + db / 3)
    assert np.ptp(momentum) < 1e-4
    assert np.ptp(db) > 1


def test_air_that_moves_carries_the_mass_along():
    speed = moved(PointMass(drift=1.0), [-0.8, 0, 0, 0, 0, 0, 0.3, 0], [0, 0], 120)[:, 2, 0]
    assert 0.2 < speed[-1] < 0.3 and (np.diff(speed) > 0).all()


def test_a_push_hands_on_its_momentum_and_a_spinner_turns_the_way_it_is_hit():
    class Ice(Push):
        drag = slowing = 0.0

    speed = moved(Ice(), [-0.5, 0.02, 1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0], 60)
    assert np.allclose(speed[:, 2:4] + speed[:, 6:8], [[[1], [0]]]) and speed[-1, 6, 0] > 0.4
    hit = moved(Spinner(), [-0.3, 0.4, 2, 0, 0, 0, 0], [0, 0], 40)  # from the left, above the pivot: clockwise
    assert hit[-1, 5, 0] > 0.5 and hit[:, 6].max() == 1
    assert Spinner().reward(-hit[-1]) > Spinner().reward(hit[-1])


def test_a_ball_on_a_string_stays_within_its_length_and_one_in_the_cup_stays_there():
    task = Catch()
    action = [1, 0.3]
    body = moved(task, [0, 0, 0, 0, 0.1, -task.high - 0.45, 2, 0, 0], action, 200)
    assert np.hypot(body[:, 4] - body[:, 0], body[:, 5] - body[:, 1] + task.high).max() < task.string + 1e-9
    inside = moved(task, [0, 0, 0, 0, 0.03, 0, 0, 0, 0], action, 200)
    assert task.reward(inside[-1]) == 1 and inside[-1, 8, 0] == 1


def test_a_plate_throws_the_ball_up_and_the_ground_does_not():
    on, beside = ([x, 0, 0.1, 0, 0, 0, 0] for x in (0.1, -0.7))
    assert moved(KeepUp(), on, [0], 120)[60:, 3].max() > 0.3
    assert moved(KeepUp(), beside, [0], 120)[60:, 3].max() < -0.3


def test_a_hopper_thrusts_itself_off_the_ground_and_runs_where_it_leans():
    task, bodies = Hopper(), [np.array([[0], [0.6], [0], [Hopper.rest], [0], [0], [0]])]
    for _ in range(800):
        up, forward = bodies[-1][5], bodies[-1][4]
        lean = 0.3 * (forward - 1) + 0.1 * forward  # the foot further ahead the faster it runs (Raibert 1986)
        bodies.append(task.move(bodies[-1], np.stack([lean, up > 0])))
    ground, height = np.stack(bodies)[:, :2, 0].T
    assert height[400:].max() > Hopper.rest + 0.05 > height[400:].min()
    assert ground[-1] * Hopper.stripes / (2 * np.pi) > 5  # metres, in ten seconds


def test_tolerance_is_one_within_and_a_tenth_at_the_margin():
    found = tolerance(np.array([-2.0, -1, 0, 1, 1.5, 2]), (-1, 1), 0.5)
    assert found == pytest.approx([1 / 37, 1, 1, 1, 0.1, 1 / 37])


# what an environment promises


@settings(max_examples=25, deadline=None)
@given(
    task=st.sampled_from(sorted(TASKS)),
    seed=st.integers(-(2**63), 2**63 - 1),
    others=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9),
    place=st.integers(0, 9),
)
def test_an_episode_follows_from_its_seed_and_its_actions(task, seed, others, place):
    place = min(place, len(others))
    alone, among = begun(task, [seed], True), begun(task, [*others[:place], seed, *others[place:]], True)
    noise = np.random.default_rng(abs(seed))
    for _ in range(12):
        actions = noise.uniform(-1.2, 1.2, (among.count, among.task.actions)).astype(np.float32)
        one, many = alone.step(actions[place : place + 1]), among.step(actions)
        assert np.array_equal(alone.states[0], among.states[place])
        assert np.array_equal(one.observations[0], many.observations[place])
        assert one.rewards[0] == many.rewards[place]


def test_seeds_next_to_each_other_start_unlike():
    found = chances(np.arange(-2000, 2000), 3)
    assert found.min() >= 0 and found.max() < 1
    alike = np.corrcoef([*found[:, :-1], *found[:, 1:]])  # of draws, and of neighbours
    assert np.abs(alike - np.eye(6)).max() < 0.06
    assert found.mean(1) == pytest.approx([0.5] * 3, abs=0.02)


@EACH
def test_episodes_are_cut_at_their_length_and_rewards_are_parts_of_one(task):
    env = begun(task, range(3))
    noise = np.random.default_rng(0)
    for step in range(1, STEPS + 1):
        found = env.step(noise.uniform(-1, 1, (3, env.task.actions)).astype(np.float32))
        assert found.rewards.dtype == np.float64 and (found.rewards >= 0).all() and (found.rewards <= 1).all()
        assert not found.terminated.any() and (found.truncated == (step == STEPS)).all()
        assert env.observation.contains(found.observations[0])
        assert np.array_equal(found.observations, env.states)
    assert len(env.names) == len(set(env.names)) == len(env.kinds) == env.states.shape[1]
    assert set(env.kinds) <= {"position", "velocity", "contact", "target"} and set(env.hidden) <= set(env.names)
    assert env.image().shape == (256, 256, 3)


def test_only_those_begin_anew_that_are_told_to():
    env = begun("reacher", [1, 2, 3])
    for _ in range(STEPS // 2):
        before = env.step(np.ones((3, 2), np.float32)).observations
    after = env.reset(np.array([7, 2, 8]), np.array([False, True, False]))
    assert np.array_equal(after[[0, 2]], before[[0, 2]])
    assert np.array_equal(after[1], begun("reacher", [2]).states[0])
    for _ in range(STEPS // 2):
        cut = env.step(np.zeros((3, 2), np.float32)).truncated
    assert cut.tolist() == [True, False, True]


# what the images show


@EACH
def test_the_picture_shows_what_is_not_hidden_and_nothing_else(task):
    env = begun(task, [4], True)
    if "glimpse" in task:
        env.steps[:] = 10
    if "band" in task:
        env.body[:2] = 0
    if "cloud" in task:
        env.body[2:4] = [[0.0], [0.5]]
    before = env.observed()
    assert before.dtype == np.uint8 and before.shape == (1, 1, 24, 24) and np.array_equal(before, env.observed())
    for row, (part, kind) in enumerate(env.task.parts.items()):
        there = env.body.copy()
        env.body[row] += 0.05
        changed = not np.array_equal(env.observed(), before)
        env.body = there
        assert changed == (kind in ("position", "angle", "target") and part not in env.task.hidden), part


def test_a_target_is_hidden_only_after_the_glimpses_and_a_ball_only_in_the_cloud():
    reacher, ball = begun("reacher-glimpse", [4], True), begun("keep-up-cloud", [4], True)
    ball.body[3] = -0.3
    for env, row in ((reacher, 4), (ball, 2)):
        before = env.observed()
        env.body[row] *= -1
        assert not np.array_equal(env.observed(), before)


def test_shapes_cover_their_areas_wherever_they_lie():
    white, size = (1.0, 1.0, 1.0), 64
    x = np.array([-0.3, 0.011, 0.2])
    shapes = [Disc(x, 0.1, 0.3, white), Box(x, -0.07, 0.21, 0.33, white), Bar(x, 0, x + 0.3, 0.4, 0.1, white)]
    areas = [np.pi * 0.09, 4 * 0.21 * 0.33, 2 * 0.1 * 0.5 + np.pi * 0.01]
    canvas = Canvas(3, size, 1)
    ground = canvas.paint([]).astype(float)
    for shape, area in zip(shapes, areas):
        covered = (canvas.paint([shape]) - ground) / (255 - ground)
        assert covered.sum((1, 2, 3)) * (2 / size) ** 2 == pytest.approx([area] * 3, rel=0.01)


def test_colours_and_greys_and_what_is_in_front():
    red, green = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    shapes = [Disc(0, 0, 0.9, red), Disc(0, 0, 0.4, green, np.array([1.0, 0.0]))]
    assert Canvas(2, 9, 3).paint(shapes)[:, :, 4, 4].tolist() == [[0, 255, 0], [255, 0, 0]]
    assert Canvas(2, 9, 1).paint(shapes)[:, 0, 4, 4].tolist() == [150, 76]


# what is refused


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(CaudexError, match=r"Did you mean cartpole-swingup\? Known: pendulum-swingup, "):
        Control("cartpole-swing-up", 1)


def test_wrong_actions_and_no_environments_are_refused():
    env = Control("reacher", 2)
    for wrong in (np.zeros((2, 1)), np.full((2, 2), np.nan)):
        with pytest.raises(CaudexError, match=r"reacher takes finite actions \[2, 2\]"):
            env.step(wrong)
    with pytest.raises(CaudexError, match="at least 1"):
        Control("reacher", 0)
