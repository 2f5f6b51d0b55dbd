"""A search may ask the network for any symmetry of a position: the answer is told in the position's own actions."""

import numpy as np
import pytest

from caudex.envs.boards import find_game, random_actions
from caudex.experience.search.network import in_random_symmetry


def played_positions(game, moves, count=40):
    rng, positions = np.random.default_rng(0), game.initial(count)
    for _ in range(moves):
        positions = game.apply(positions, random_actions(game.legal(positions), rng))
    return positions


@pytest.mark.parametrize("name", ["go-5", "hex-3", "connect-four", "chess"])
def test_actions_come_back_from_the_symmetry(name):
    game = find_game(name)
    planes, seen = game.planes(played_positions(game, 3)), []

    def know_the_board(planes):  # an action's logit is what stands on its place or in its column
        seen.append(planes)
        board = planes[:, 0].astype(np.float32) + 2 * planes[:, 1]
        places = board.reshape(len(board), -1) if game.num_actions != game.shape[2] else board.sum(1)
        logits = np.zeros((len(board), game.num_actions), np.float32)
        logits[:, : places.shape[1]] = places[:, : game.num_actions]
        return logits, board.sum((1, 2))

    expected, values = know_the_board(planes)
    logits, same_values = in_random_symmetry(know_the_board, game.symmetries(), np.random.default_rng(1))(planes)
    assert (logits == expected).all() and (values == same_values).all()
    assert (seen[0] == seen[1]).all() == (len(game.symmetries()) == 1)
