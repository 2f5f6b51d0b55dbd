"""Mazes: layouts, shortest paths and rewards."""

from collections import deque

import numpy as np
import pytest

from caudex.envs.meta import trials
from caudex.envs.meta.maze_layouts import generate_layouts, heading_offsets, is_test_layout
from caudex.envs.meta.task_family import FIRST_TEST_SEED
from caudex.envs.meta.trials import split_observations


# mazes
def plain_search(walls, start, course, target):
    """Steps by the textbook's queue, of one maze."""
    directions, waiting, before = heading_offsets(len(walls)), deque([(start, course)]), {(start, course): 0}
    while waiting:
        place, turn = waiting.popleft()
        if place == target:
            return before[place, turn]
        for after in ((place + directions[turn], turn), (place, (turn + 1) % 4), (place, (turn - 1) % 4)):
            if not walls.reshape(-1)[after[0]] and after not in before:
                before[after] = before[place, turn] + 1
                waiting.append(after)
    return None


@pytest.mark.parametrize("size", ["small", "large"])
def test_every_room_can_be_reached_and_the_shortest_way_is_the_textbooks(size):
    env = trials.make_trials("mazes", 30, size=size)
    env.reset(np.arange(30), np.ones(30, bool))
    family = env.family
    expected = [
        plain_search(
            family.walls[i], *(int(part[i]) for part in (family.start_position, family.start_heading, family.target))
        )
        for i in range(30)
    ]
    assert family.shortest_path_lengths().tolist() == expected
    rooms = family.walls[:, 1::2, 1::2]
    assert (rooms == 0).all() and (family.walls[:, [0, -1]] > 0).all() and (family.walls[:, :, [0, -1]] > 0).all()
    for room in np.argwhere(rooms[0] == 0):
        assert (
            plain_search(
                family.walls[0], int(family.start_position[0]), 0, family.side * (2 * room[0] + 1) + 2 * room[1] + 1
            )
            is not None
        )


def test_no_test_has_a_layout_that_training_can_have_not_even_turned_or_mirrored():
    seeds = np.arange(300)
    training, tests = (generate_layouts(seeds, 5, np.full(300, test)) for test in (False, True))
    assert not is_test_layout(training).any() and is_test_layout(tests).all()
    for copies in (tests[:, ::-1], np.rot90(tests, 1, (1, 2)), tests.transpose(0, 2, 1)):
        assert is_test_layout(copies).all()
    assert len({layout.tobytes() for layout in np.concatenate([training, tests])}) == 600
    env = trials.make_trials("mazes", 300, test=True)
    env.reset(seeds, np.ones(300, bool))
    assert np.array_equal(env.family.walls > 0, generate_layouts(seeds + FIRST_TEST_SEED, 5, np.ones(300, bool)))


def test_rewards_of_a_maze():
    env = trials.make_trials("mazes", 200)
    env.reset(np.arange(200), np.ones(200, bool))
    family = env.family
    ahead = family.position + family.heading_offsets[family.heading]
    wall = family.walls.reshape(200, -1)[np.arange(200), ahead] > 0
    at_target = ahead == family.target
    before = family.position.copy()
    outcome = env.step(np.zeros(200, int))
    assert np.allclose(outcome.rewards, -0.04 - 0.001 * wall + at_target)
    assert np.array_equal(family.position, np.where(wall | at_target, before, ahead))  # at the ball it has begun anew
    env.reset(np.arange(200), np.ones(200, bool))
    for step in range(1, 251):
        outcome = env.step(np.ones(200, int))
        assert (env.episode_done == (step == 250)).all()
    assert np.allclose(outcome.rewards, -0.04)


def test_from_above_what_lies_ahead_is_up():
    env = trials.make_trials("mazes", 50, view="above")
    shown = split_observations(env.reset(np.arange(50), np.ones(50, bool)), (3, 28, 28)).task_observation
    family = env.family
    ahead = family.walls.reshape(50, -1)[np.arange(50), family.position + family.heading_offsets[family.heading]] > 0
    floor = shown[:, :, 2 * 4 + 1, 3 * 4 + 1]  # within the tile before the middle
    grey = np.ptp(floor.astype(int), axis=1) < 20
    ball = family.position + family.heading_offsets[family.heading] == family.target
    assert np.array_equal(grey, ~ahead & ~ball)
    left = split_observations(env.step(np.ones(50, int)).observations, (3, 28, 28)).task_observation
    middle = np.s_[:, :, 12:16, 12:16]
    turned = np.rot90(shown, -1, (2, 3))
    turned[middle] = left[middle]  # the arrow stays
    assert np.abs(turned[:, :, 1::4, 1::4].astype(int) - left[:, :, 1::4, 1::4]).max() < 60
