"""The view inside a maze is that of rays followed step by step."""

import numpy as np

from caudex.envs.meta import trials
from caudex.envs.meta.maze_camera import CEILING, EYE_SETBACK, SUPERSAMPLING, MazeCamera
from caudex.envs.meta.maze_tiles import FLOOR, TEXTURE_SIZE, textures

NORTH_EAST_SOUTH_WEST = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])  # down, right


def follow_ray(walls, eye, direction):
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


def pixel_by_rays(walls, place, turn, row, column, size):
    """The colour of a pixel, ray by ray; None where they meet more than one wall."""
    forward, right = NORTH_EAST_SOUTH_WEST[turn], NORTH_EAST_SOUTH_WEST[(turn + 1) % 4]
    eye = np.array(divmod(place, len(walls))) + 0.5 - EYE_SETBACK * forward
    colours, met = [], set()
    for i in range(SUPERSAMPLING):
        direction = forward + ((column + (i + 0.5) / SUPERSAMPLING) * 2 / size - 1) * right
        depth, tile, face = follow_ray(walls, eye, direction)
        met.add((*tile, *face))
        rightwards = NORTH_EAST_SOUTH_WEST[
            ((NORTH_EAST_SOUTH_WEST @ face).argmax() + 1) % 4
        ]  # to one who stands before it
        along = (eye + depth * direction) @ rightwards % 1
        for j in range(SUPERSAMPLING):
            height = 1 - (row + (j + 0.5) / SUPERSAMPLING) * 2 / size
            if abs(height * depth) < 0.5:
                colour = textures()[
                    walls[tuple(tile)] - 1, int((0.5 - height * depth) * TEXTURE_SIZE), int(along * TEXTURE_SIZE)
                ]
                colours.append(colour * (1 if abs(face @ forward) else 0.78) / (1 + 0.13 * depth))
            else:
                far = 0.5 / abs(height)
                seam = np.abs((eye + far * direction) % 1 - 0.5).max() > 0.46
                colours.append(np.array(CEILING if height > 0 else FLOOR) * (1 - 0.25 * seam) / (1 + 0.13 * far))
    return 255 * np.mean(colours, 0) if len(met) == 1 else None


def test_the_view_from_inside_is_that_of_rays_followed_step_by_step():
    env, chance = trials.make_trials("mazes", 20), np.random.default_rng(4)
    env.reset(np.arange(20), np.ones(20, bool))
    walls, size, off = env.family.walls, 32, []
    positions = np.array([chance.choice(np.flatnonzero(maze.reshape(-1) == 0)) for maze in walls])
    turns, hidden = chance.integers(4, size=20), np.zeros(20, int)  # a ball inside of a wall
    frames = MazeCamera(11, size).render(walls, positions, turns, hidden)
    assert np.array_equal(frames, MazeCamera(11, size, precompute=False).render(walls, positions, turns, hidden))
    for i in range(20):
        for row, column in chance.integers(size, size=(6, 2)):
            expected = pixel_by_rays(walls[i], positions[i], turns[i], row, column, size)
            if expected is not None:
                off.append(np.abs(frames[i, :, row, column] - expected).max())
    assert len(off) > 80 and max(off) < 40
    assert np.mean(np.array(off) < 0.51) > 0.95  # a point that lies just on a joint may fall to either side


def test_a_ball_is_seen_where_no_wall_hides_it():
    walls = np.ones((1, 11, 11), np.uint8)
    walls[0, 1, 1:10] = 0  # a corridor to the east
    camera, at = MazeCamera(11, 32), lambda row, column: np.array([11 * row + column])
    east, nowhere = np.array([1]), np.array([0])
    empty = camera.render(walls, at(1, 2), east, nowhere)
    reds = []
    for column in range(3, 10):
        frame = camera.render(walls, at(1, 2), east, at(1, column)).astype(int)
        changed = (frame != empty).any(1)[0]
        assert changed.any() and np.array_equal(changed[:, :16], changed[:, :15:-1])  # in the middle
        reds.append(int(changed.sum()))
    assert reds == sorted(reds, reverse=True) and reds[0] > 5 * reds[3]  # smaller, the farther
    assert np.array_equal(camera.render(walls, at(1, 5), east, at(1, 3)), camera.render(walls, at(1, 5), east, nowhere))
    walls[0, 1, 4] = 1
    assert np.array_equal(camera.render(walls, at(1, 2), east, at(1, 6)), camera.render(walls, at(1, 2), east, nowhere))
