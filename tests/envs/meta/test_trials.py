from collections import deque

import numpy as np
import pytest
import torch

from caudex.core.errors import CaudexError
from caudex.envs.meta import trials
from caudex.envs.meta.maze_camera import BACK, CEILING, SHARP, Camera
from caudex.envs.meta.maze_layouts import halves, layouts, moves
from caudex.envs.meta.maze_tiles import FLOOR, GRAIN, textures
from caudex.envs.meta.task_family import TEST
from caudex.envs.meta.trials import play, seen
from caudex.evaluation.baselines import ways
from caudex.experience import EnvRunner, gae

NAMES = {
    "bandits": {"arms": 3, "pulls": 6},
    "tabular-mdps": {"episodes": 2, "horizon": 4},
    "mazes": {"episodes": 2},
}
EACH = pytest.mark.parametrize("name", NAMES)


def every(count):
    return np.ones(count, bool)


# trials


def test_what_came_before_is_seen_and_only_the_trials_end_is_an_end():
    env = trials.make("tabular-mdps", 2, states=3, actions=2, horizon=2, episodes=2)
    first = env.reset(np.arange(2), every(2))
    assert np.array_equal(first, [[1, 0, 0, 0, 0, 0, 0]] * 2)  # state 0; no action, no reward, no end
    for step in range(1, 5):
        shown, rewards, terminated, truncated, *_ = env.step(np.array([1, 0]))
        state, before = seen(shown, (3,))
        assert np.array_equal(before[:, :2], [[0, 1], [1, 0]])
        assert np.array_equal(before[:, 2], rewards.astype(np.float32))
        assert (before[:, 3] == (step % 2 == 0)).all() and (env.ended == (step % 2 == 0)).all()
        if step == 2:
            assert (state.argmax(1) == 0).all()  # the next episode has begun
        assert (terminated == (step == 4)).all() and not truncated.any()


@EACH
def test_a_trial_follows_from_its_seed_and_actions_whoever_is_beside_it(name):
    together, alone = trials.make(name, 3, **NAMES[name]), trials.make(name, 1, **NAMES[name])
    actions = np.random.default_rng(0).integers(together.choices, size=(9, 3))
    together.reset(np.array([5, 6, 7]), every(3))
    for step in range(4):
        together.step(actions[step])
    begun = together.reset(np.array([0, 8, 0]), np.array([False, True, False]))
    assert np.array_equal(begun[1:2], alone.reset(np.array([8]), every(1)))
    for step in range(4, 9):
        both, one = together.step(actions[step]), alone.step(actions[step, 1:2])
        assert np.array_equal(both.observations[1:2], one.observations) and both.rewards[1] == one.rewards[0]


@EACH
def test_all_episodes_of_a_trial_have_one_task_and_no_test_has_it(name):
    env = trials.make(name, 2, **NAMES[name])
    of = {"bandits": "means", "tabular-mdps": "transitions", "mazes": "walls"}[name]
    env.reset(np.arange(2), every(2))
    task = getattr(env.family, of).copy()
    while not env.step(np.zeros(2, int)).terminated.any():
        assert np.array_equal(getattr(env.family, of), task)
    assert not np.array_equal(task[0], task[1])
    tests = trials.make(name, 2, test=True, **NAMES[name])
    tests.reset(np.arange(2), every(2))
    assert not np.array_equal(getattr(tests.family, of)[0], task[0])


def test_rewards_count_through_the_ends_of_episodes_and_not_beyond_the_trial():
    runner = EnvRunner(trials.make("bandits", 4, arms=2, pulls=5), 0)
    lived = [runner.step(np.zeros(4, int)) for _ in range(10)]
    parts = [np.stack([getattr(each, part) for each in lived]) for part in ("rewards", "terminated", "truncated")]
    nothing = np.zeros((10, 4))
    advantages = gae(parts[0], nothing, nothing, *parts[1:], gamma=1.0, gae_lambda=1.0)
    assert np.array_equal(advantages[0], parts[0][:5].sum(0)) and np.array_equal(advantages[5], parts[0][5:].sum(0))
    assert runner.told()["episodes/length"] == 5


@EACH
def test_acting_in_trials_resumes_exactly(name):
    env = trials.make(name, 3, **NAMES[name])
    runner, chance = EnvRunner(env, 1), np.random.default_rng(2)
    for _ in range(11):
        runner.step(chance.integers(env.choices, size=3))
    again = EnvRunner(trials.make(name, 3, **NAMES[name]), 1)
    again.load_state_dict(runner.state_dict())
    for _ in range(11):
        actions = chance.integers(env.choices, size=3)
        one, other = runner.step(actions), again.step(actions)
        assert np.array_equal(one.next_observations, other.next_observations) and np.array_equal(
            one.rewards, other.rewards
        )


def test_a_picture_and_the_numbers_beside_it_come_back_whole():
    env = trials.make("mazes", 3)
    env.reset(np.arange(3), every(3))
    found = env.step(np.array([0, 1, 2]))
    assert found.observations.dtype == np.uint8
    shape = env.family.observation.shape
    for observations in (found.observations, torch.from_numpy(found.observations)[None]):
        shown, before = seen(observations, shape)
        assert np.array_equal(np.asarray(shown).reshape(3, *shape), env.family.seen())
        numbers = np.asarray(before).reshape(3, 5)
        assert np.array_equal(numbers[:, :3], np.eye(3)) and np.array_equal(numbers[:, 3], np.float32(found.rewards))


def test_play_tells_each_episode_apart():
    env = trials.make("bandits", 500, arms=1, pulls=3)
    played = play(env, lambda observations: np.zeros(500, int), np.arange(500))
    assert (played.lengths == 1).all() and np.array_equal(played.returns, played.last)
    env.reset(np.arange(500), every(500))
    assert np.array_equal(played.returns[:, 0], env.step(np.zeros(500, int)).rewards)


# bandits and tabular MDPs


def test_arms_pay_as_often_as_they_are_said_to():
    env = trials.make("bandits", 4000, arms=2, pulls=50)
    env.reset(np.arange(4000), every(4000))
    paid = sum(env.step(np.ones(4000, int)).rewards for _ in range(50))
    means = env.family.means[:, 1]
    assert abs(means.mean() - 1 / 2) < 0.015 and abs(means.var() - 1 / 12) < 0.004  # uniform
    wanted = 50 * means * (1 - means)
    assert ((paid - 50 * means) ** 2).sum() / wanted.sum() == pytest.approx(1, abs=0.07)  # binomial


def test_mdps_are_as_published():
    env = trials.make("tabular-mdps", 2000)
    env.reset(np.arange(2000), every(2000))
    family = env.family
    assert family.transitions.shape == (2000, 10, 5, 10) and np.allclose(family.transitions.sum(-1), 1)
    assert family.transitions.var() == pytest.approx(9 / 1100, rel=0.02)  # flat Dirichlet: (K - 1) / (K^2 (K + 1))
    assert family.means.mean() == pytest.approx(1, abs=0.02) and family.means.std() == pytest.approx(1, abs=0.02)
    wanted, means = family.transitions[:, 0, 3], family.means[:, 0, 3]
    found = env.step(np.full(2000, 3))
    came = seen(found.observations, (10,)).shown
    assert np.abs((came - wanted).mean(0)).max() < 0.03
    assert (came * wanted).sum(1).mean() == pytest.approx((wanted**2).sum(1).mean(), abs=0.02)
    assert (found.rewards - means).std() == pytest.approx(1, abs=0.06)


# mazes


def plain_search(walls, start, course, target):
    """Steps by the textbook's queue, of one maze."""
    ways, waiting, before = moves(len(walls)), deque([(start, course)]), {(start, course): 0}
    while waiting:
        place, turn = waiting.popleft()
        if place == target:
            return before[place, turn]
        for after in ((place + ways[turn], turn), (place, (turn + 1) % 4), (place, (turn - 1) % 4)):
            if not walls.reshape(-1)[after[0]] and after not in before:
                before[after] = before[place, turn] + 1
                waiting.append(after)
    return None


@pytest.mark.parametrize("size", ["small", "large"])
def test_every_room_can_be_reached_and_the_shortest_way_is_the_textbooks(size):
    env = trials.make("mazes", 30, size=size)
    env.reset(np.arange(30), every(30))
    family = env.family
    wanted = [
        plain_search(family.walls[i], *(int(part[i]) for part in (family.start, family.course, family.target)))
        for i in range(30)
    ]
    assert family.shortest().tolist() == wanted
    rooms = family.walls[:, 1::2, 1::2]
    assert (rooms == 0).all() and (family.walls[:, [0, -1]] > 0).all() and (family.walls[:, :, [0, -1]] > 0).all()
    for room in np.argwhere(rooms[0] == 0):
        assert (
            plain_search(family.walls[0], int(family.start[0]), 0, family.side * (2 * room[0] + 1) + 2 * room[1] + 1)
            is not None
        )


def test_no_test_has_a_layout_that_training_can_have_not_even_turned_or_mirrored():
    seeds = np.arange(300)
    training, tests = (layouts(seeds, 5, np.full(300, test)) for test in (False, True))
    assert not halves(training).any() and halves(tests).all()
    for copies in (tests[:, ::-1], np.rot90(tests, 1, (1, 2)), tests.transpose(0, 2, 1)):
        assert halves(copies).all()
    assert len({layout.tobytes() for layout in np.concatenate([training, tests])}) == 600
    env = trials.make("mazes", 300, test=True)
    env.reset(seeds, every(300))
    assert np.array_equal(env.family.walls > 0, layouts(seeds + TEST, 5, every(300)))


def test_rewards_of_a_maze():
    env = trials.make("mazes", 200)
    env.reset(np.arange(200), every(200))
    family = env.family
    ahead = family.place + family.moves[family.turn]
    wall = family.walls.reshape(200, -1)[np.arange(200), ahead] > 0
    there = ahead == family.target
    before = family.place.copy()
    found = env.step(np.zeros(200, int))
    assert np.allclose(found.rewards, -0.04 - 0.001 * wall + there)
    assert np.array_equal(family.place, np.where(wall | there, before, ahead))  # at the ball it has begun anew
    env.reset(np.arange(200), every(200))
    for step in range(1, 251):
        found = env.step(np.ones(200, int))
        assert (env.ended == (step == 250)).all()
    assert np.allclose(found.rewards, -0.04)


NORTH_EAST_SOUTH_WEST = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])  # down, right


def walked(walls, eye, direction):
    """Depth at which a walk in small steps comes into a wall, then halved again and again; the tile, the way into it."""
    depths = np.arange(1, 15_000)[:, None] * 0.002
    points = (eye + depths * direction).astype(int).clip(0, len(walls) - 1)
    outer = float(depths[(walls[tuple(points.T)] > 0).argmax(), 0])
    inner = outer - 0.002
    for _ in range(40):
        middle = (inner + outer) / 2
        inside = walls[tuple((eye + middle * direction).astype(int))] > 0
        inner, outer = (inner, middle) if inside else (middle, outer)
    tile, last = ((eye + depth * direction).astype(int) for depth in (outer, inner))
    return outer, tile, tile - last


def slow_pixel(walls, place, turn, row, column, size):
    """The colour of a pixel, ray by ray; None where they meet more than one wall."""
    forward, aside = NORTH_EAST_SOUTH_WEST[turn], NORTH_EAST_SOUTH_WEST[(turn + 1) % 4]
    eye = np.array(divmod(place, len(walls))) + 0.5 - BACK * forward
    colours, met = [], set()
    for i in range(SHARP):
        direction = forward + ((column + (i + 0.5) / SHARP) * 2 / size - 1) * aside
        depth, tile, face = walked(walls, eye, direction)
        met.add((*tile, *face))
        rightwards = NORTH_EAST_SOUTH_WEST[
            ((NORTH_EAST_SOUTH_WEST @ face).argmax() + 1) % 4
        ]  # to one who stands before it
        along = (eye + depth * direction) @ rightwards % 1
        for j in range(SHARP):
            height = 1 - (row + (j + 0.5) / SHARP) * 2 / size
            if abs(height * depth) < 0.5:
                colour = textures()[walls[tuple(tile)] - 1, int((0.5 - height * depth) * GRAIN), int(along * GRAIN)]
                colours.append(colour * (1 if abs(face @ forward) else 0.78) / (1 + 0.13 * depth))
            else:
                far = 0.5 / abs(height)
                seam = np.abs((eye + far * direction) % 1 - 0.5).max() > 0.46
                colours.append(np.array(CEILING if height > 0 else FLOOR) * (1 - 0.25 * seam) / (1 + 0.13 * far))
    return 255 * np.mean(colours, 0) if len(met) == 1 else None


def test_the_view_from_inside_is_that_of_rays_followed_step_by_step():
    env, chance = trials.make("mazes", 20), np.random.default_rng(4)
    env.reset(np.arange(20), every(20))
    walls, size, off = env.family.walls, 32, []
    places = np.array([chance.choice(np.flatnonzero(maze.reshape(-1) == 0)) for maze in walls])
    turns, hidden = chance.integers(4, size=20), np.zeros(20, int)  # a ball inside of a wall
    frames = Camera(11, size).look(walls, places, turns, hidden)
    assert np.array_equal(frames, Camera(11, size, beforehand=False).look(walls, places, turns, hidden))
    for i in range(20):
        for row, column in chance.integers(size, size=(6, 2)):
            wanted = slow_pixel(walls[i], places[i], turns[i], row, column, size)
            if wanted is not None:
                off.append(np.abs(frames[i, :, row, column] - wanted).max())
    assert len(off) > 80 and max(off) < 40
    assert np.mean(np.array(off) < 0.51) > 0.95  # a point that lies just on a joint may fall to either side


def test_a_ball_is_seen_where_no_wall_hides_it():
    walls = np.ones((1, 11, 11), np.uint8)
    walls[0, 1, 1:10] = 0  # a corridor to the east
    camera, at = Camera(11, 32), lambda row, column: np.array([11 * row + column])
    east, nowhere = np.array([1]), np.array([0])
    empty = camera.look(walls, at(1, 2), east, nowhere)
    reds = []
    for column in range(3, 10):
        frame = camera.look(walls, at(1, 2), east, at(1, column)).astype(int)
        changed = (frame != empty).any(1)[0]
        assert changed.any() and np.array_equal(changed[:, :16], changed[:, :15:-1])  # in the middle
        reds.append(int(changed.sum()))
    assert reds == sorted(reds, reverse=True) and reds[0] > 5 * reds[3]  # smaller, the farther
    assert np.array_equal(camera.look(walls, at(1, 5), east, at(1, 3)), camera.look(walls, at(1, 5), east, nowhere))
    walls[0, 1, 4] = 1
    assert np.array_equal(camera.look(walls, at(1, 2), east, at(1, 6)), camera.look(walls, at(1, 2), east, nowhere))


def test_from_above_what_lies_ahead_is_up():
    env = trials.make("mazes", 50, view="above")
    shown = seen(env.reset(np.arange(50), every(50)), (3, 28, 28)).shown
    family = env.family
    ahead = family.walls.reshape(50, -1)[np.arange(50), family.place + family.moves[family.turn]] > 0
    floor = shown[:, :, 2 * 4 + 1, 3 * 4 + 1]  # within the tile before the middle
    grey = np.ptp(floor.astype(int), axis=1) < 20
    ball = family.place + family.moves[family.turn] == family.target
    assert np.array_equal(grey, ~ahead & ~ball)
    left = seen(env.step(np.ones(50, int)).observations, (3, 28, 28)).shown
    middle = np.s_[:, :, 12:16, 12:16]
    turned = np.rot90(shown, -1, (2, 3))
    turned[middle] = left[middle]  # the arrow stays
    assert np.abs(turned[:, :, 1::4, 1::4].astype(int) - left[:, :, 1::4, 1::4]).max() < 60


# tasks that a function makes

MODULE = '''
import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Guess(gymnasium.Env):
    """Ends with the right guess."""

    def __init__(self, right, size=2, choices=3):
        self.observation_space, self.action_space = Box(-1, 1, (size,), np.float32), Discrete(choices)
        self.right = right

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(self.observation_space.shape, np.float32), {}

    def step(self, action):
        right = action == self.right
        return self.np_random.random(2).astype(np.float32), float(right), right, False, {}


def make_task(seed):
    return gymnasium.wrappers.TimeLimit(Guess(seed % 3), 4)


def endless(seed):
    return Guess(-1)


def endlessly_rich(seed):
    return gymnasium.wrappers.TransformReward(make_task(seed), lambda reward: reward or float("inf"))


def growing(seed):
    return gymnasium.wrappers.TimeLimit(Guess(0, 2 + (seed >= 2)), 4)


def late(seed):
    return gymnasium.wrappers.TimeLimit(Guess(0, 2, 3 + (seed >= 3)), 4)


def nothing(seed):
    return seed


def broken(seed):
    raise ValueError("no such task")
'''


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "guessing.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def test_tasks_of_a_function_of_ones_own(here):
    env = trials.make("guessing:make_task", 3, episodes=2)
    env.reset(np.arange(3), every(3))
    ends = [env.step(np.array([0, 0, 0])) for _ in range(8)]
    assert [each.terminated.tolist() for each in ends[:3]] == [[False] * 3, [True, False, False], [True, False, False]]
    assert ends[6].terminated.tolist() == [True, False, False] and ends[7].terminated.all()  # the others: 2 x 4 steps
    played = [play(trials.make("guessing:make_task", 3), lambda seen: np.zeros(3, int), np.arange(3)) for _ in range(2)]
    assert all(np.array_equal(one, other) for one, other in zip(*played))
    assert played[0].lengths.tolist() == [[1, 1], [4, 4], [4, 4]]


def test_beside_them_is_one_who_acts_at_random(here):
    ((name, act),) = ways(trials.make("guessing:make_task", 3)).items()
    assert name == "random" and set(act(np.zeros((100, 9)))) == {0, 1, 2}


def test_an_episode_that_would_never_end_is_cut(here):
    env = trials.make("guessing:endless", 1, episodes=2, limit=5)
    env.reset(np.arange(1), every(1))
    assert [bool(env.step(np.zeros(1, int)).terminated[0]) for _ in range(10)].index(True) == 9


@pytest.mark.parametrize(
    "name, settings, told",
    [
        ("guessing:endless", {}, "no limit"),
        ("guessing:growing", {}, r"\(2,\).* for seed 0 and .*\(3,\).* for seed 2"),
        ("guessing:nothing", {}, "gave a int"),
        ("guessing:broken", {}, "ValueError: no such task"),
        ("guessing:makes_task", {}, "it has .*make_task"),
        ("gessing:make_task", {}, "no module gessing"),
        ("guessing:make_task", {"limit": -1}, "-1 steps"),
        ("guessing:make_task", {"pulls": 3}, "no setting 'pulls'"),
        ("bandit", {}, "Did you mean bandits"),
        ("bandits", {"arms": 0}, "0 arms"),
        ("bandits", {"pulls": 0}, "0 episodes"),
        ("bandits", {"arm": 3}, "Did you mean arms"),
        ("tabular-mdps", {"horizon": 0}, "0 steps"),
        ("mazes", {"size": "larg"}, "Did you mean large"),
        ("mazes", {"view": "below"}, "Known: inside, above"),
    ],
)
def test_what_cannot_be_is_refused_with_one_sentence(here, name, settings, told):
    with pytest.raises(CaudexError, match=told):
        trials.make(name, 2, **settings)


def test_a_task_that_differs_later_is_refused_then(here):
    env = trials.make("guessing:late", 1)
    with pytest.raises(CaudexError, match=r"actions Discrete\(3\) for seed 0 and Discrete\(4\) for seed 7"):
        env.reset(np.array([7]), every(1))


def test_a_reward_that_is_no_number_is_refused(here):
    env = trials.make("guessing:endlessly_rich", 1)
    env.reset(np.zeros(1, int), every(1))
    env.step(np.zeros(1, int))
    with pytest.raises(CaudexError, match=r"guessing:endlessly_rich gave a reward .* no finite number"):
        env.step(np.ones(1, int))


@pytest.mark.parametrize("actions", [[0, 3], [-1, 0], [0], [0.0, 1.0]])
def test_actions_that_are_none_are_refused(actions):
    env = trials.make("bandits", 2, arms=3)
    env.reset(np.arange(2), every(2))
    with pytest.raises(CaudexError, match="whole numbers from 0 to 2"):
        env.step(np.array(actions))
