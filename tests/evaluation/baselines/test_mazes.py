"""Baselines for mazes."""

import numpy as np
import pytest

from caudex.envs.meta import trials
from caudex.envs.meta.trials import play_trials
from caudex.evaluation.baselines import classical_policies, mazes


# mazes
@pytest.mark.parametrize("size, count", [("small", 40), ("large", 8)])
def test_the_shortest_path_is_walked_and_a_second_search_is_no_search(size, count):
    env = trials.make_trials("mazes", count, size=size, view="above", test=True)
    family, seeds = env.family, np.arange(count)
    straight = play_trials(env, mazes.ShortestPath(family), seeds)
    env.reset(seeds, np.ones(count, bool))
    assert np.array_equal(straight.lengths[:, 0], family.shortest_path_lengths()) and np.array_equal(
        *straight.lengths.T
    )
    assert np.allclose(straight.returns, 1 - 0.04 * straight.lengths)
    counted = play_trials(env, mazes.CountBased(family), seeds)
    assert (counted.last_rewards > 0).all() and (counted.lengths[:, 1] <= counted.lengths[:, 0]).all()
    assert (counted.lengths >= straight.lengths).all()
    assert counted.lengths[:, 1].mean() < 0.5 * counted.lengths[:, 0].mean()


def test_along_a_wall_one_gets_everywhere_unless_there_is_a_block_to_go_around():
    env = trials.make_trials("mazes", 1, view="above")
    family, sample = env.family, env.family.sample_tasks

    def fork(seeds, which):
        sample(seeds, which)
        family.walls[:] = 1
        family.walls[0, 1, 1:10] = family.walls[0, 1:10, 5] = 0  # a T; the ball is at its foot
        family.start_position[:], family.start_heading[:], family.target[:] = 11 + 1, 1, 9 * 11 + 5

    family.sample_tasks = fork
    played = play_trials(env, mazes.WallFollowing(family), np.zeros(1, int))
    # 8 to the east end, 2 to turn back, 4 to the fork, a turn to the left, 8 down
    assert played.lengths.tolist() == [[8 + 2 + 4 + 1 + 8] * 2]
    ring = trials.make_trials("mazes", 1, view="above")
    ring.reset(np.zeros(1, int), np.ones(1, bool))
    walker = mazes.WallFollowing(ring.family)
    ring.family.walls[:] = 0
    ring.family.walls[0, [0, -1]] = ring.family.walls[0, :, [0, -1]] = ring.family.walls[0, 5, 5] = 1
    ring.family.position[:], ring.family.heading[:], ring.family.target[:] = 6 * 11 + 4, 0, 11 + 1
    positions, observations = set(), ring.step(np.zeros(1, int)).observations
    for _ in range(100):
        observations = ring.step(walker(observations)).observations
        positions.add(int(ring.family.position[0]))
    assert len(positions) <= 9  # it goes around the block in the middle for ever


def test_a_random_walk_seldom_arrives():
    env = trials.make_trials("mazes", 100, view="above", episodes=1)
    played = play_trials(env, classical_policies(env)["random"], np.arange(100))
    assert 0.05 < (played.last_rewards > 0).mean() < 0.5
    assert (played.lengths[played.last_rewards < 0] == 250).all()
