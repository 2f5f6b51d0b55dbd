import numpy as np
import pytest
from helpers.board_games import Noughts

from caudex.core.errors import CaudexError
from caudex.evaluation.elo import elo_ratings
from caudex.evaluation.matches import play_match, random_openings

GAME = Noughts()


def first_legal(positions):
    return GAME.legal(positions).argmax(1)


def last_legal(positions):
    return 8 - GAME.legal(positions)[:, ::-1].argmax(1)


def test_sides_are_swapped_and_each_player_is_asked_for_its_own_games():
    # 0 8 1 7 2: who begins completes a row first
    result = play_match(GAME, (first_legal, last_legal), 4, names=("up", "down"))
    assert [moves.tolist() for moves in result.moves] == [[0, 8, 1, 7, 2], [8, 0, 7, 1, 6]] * 2
    assert result.scores.tolist() == [1, 0, 1, 0]
    assert result.of_side(0).tolist() == [1, 1] and result.of_side(1).tolist() == [0, 0]
    assert result.rows() == [("up", "down", 1), ("up", "down", 0)] * 2
    assert result.num_different() == 2


def test_draws_count_half():
    # X 0 1 5 6 8 or 7, O 4 2 3 ...: played from a list, a drawn game
    drawn = [0, 4, 8, 1, 7, 6, 2, 5, 3]

    def by_list(positions):
        return np.array([drawn[count] for count in (positions.board != 0).sum(1)])

    result = play_match(GAME, (by_list, by_list), 2)
    assert result.scores.tolist() == [0.5, 0.5] and result.moves[0].tolist() == drawn


def test_pairs_share_a_random_opening_and_other_pairs_have_others():
    result = play_match(GAME, (first_legal, first_legal), 40, seed=1, opening_moves=3)
    openings = [tuple(moves[:3].tolist()) for moves in result.moves]
    assert openings[::2] == openings[1::2] and len(set(openings)) > 15
    assert result.scores[::2].tolist() == (1 - result.scores[1::2]).tolist()  # the same game, the other side
    again = play_match(GAME, (first_legal, first_legal), 40, seed=1, opening_moves=3)
    assert [moves.tolist() for moves in again.moves] == [moves.tolist() for moves in result.moves]


def test_openings_leave_the_game_open():
    positions, moves = random_openings(GAME, 50, 7, np.random.default_rng(0))
    assert not GAME.outcome(positions)[0].any() and {len(opening) for opening in moves} == {7}
    with pytest.raises(CaudexError, match="9 random moves end nearly every game of noughts"):
        random_openings(GAME, 2, 9, np.random.default_rng(0))


def test_the_rows_are_what_elo_ratings_take():
    result = play_match(GAME, (first_legal, last_legal), 20, opening_moves=2, names=("up", "down"))
    ratings = elo_ratings(result.rows(), anchor="down")
    assert ratings["up"].games == 20 and np.sign(ratings["up"].elo) == np.sign(result.scores.mean() - 0.5)


def test_unfair_matches_and_illegal_moves_are_refused():
    for games in (0, 3):
        with pytest.raises(CaudexError, match=f"a match of {games} games cannot swap sides"):
            play_match(GAME, (first_legal, last_legal), games)
    for action in (0, 9, -1):
        with pytest.raises(CaudexError, match=f"wild chose action {action}, which is not a legal move of noughts"):
            play_match(
                GAME, (first_legal, lambda p, action=action: np.full(len(p.player), action)), 2, names=("calm", "wild")
            )
