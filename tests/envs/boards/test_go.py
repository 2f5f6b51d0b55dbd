import numpy as np
import pytest
from helpers.boards import NUM_GAMES, SlowGo, compare_with_open_spiel, random_positions

from caudex.core.errors import CaudexError
from caudex.envs.boards import check_game, find_game, random_actions
from caudex.envs.boards.go import Go


def play(game, moves):
    """The position after these moves, of one game."""
    positions = game.initial(1)
    for move in moves.split():
        positions = game.apply(positions, np.array([game.parse_action(positions, 0, move)]))
    return positions


@pytest.mark.parametrize("size", [5, 9])
def test_it_agrees_with_open_spiel_move_by_move(size):
    refused = compare_with_open_spiel(
        Go(size), "go", {"board_size": size}, NUM_GAMES // (1 if NUM_GAMES > 1000 else size)
    )
    assert refused > 0  # OpenSpiel calls a repeated board a draw; here that move is not legal


@pytest.mark.parametrize("size", [3, 4])
def test_superko_and_score_are_those_of_slow_rules(size):
    game, rng, batch = Go(size, komi=0.5, max_moves=60), np.random.default_rng(0), 24
    positions, slow = game.initial(batch), [SlowGo(size) for _ in range(batch)]
    for _ in range(60):
        legal, is_over = game.legal(positions), game.outcome(positions)[0]
        for row in np.flatnonzero(~is_over):
            assert legal[row].tolist() == slow[row].legal()
        legal[:, -1] &= legal.sum(1) == 1  # nobody passes before he must: games grow long, and boards come again
        actions = random_actions(legal, rng)
        for row in np.flatnonzero(~is_over):
            slow[row].apply(actions[row])
        positions = game.apply(positions, actions)
    is_over, value = game.outcome(positions)
    assert is_over.all()
    scores = np.array([rules.score() for rules in slow])
    assert game.ownership(positions).sum((1, 2)).tolist() == scores.tolist()
    assert (value * np.where(positions.moves % 2, -1, 1)).tolist() == np.where(scores > 0.5, 1, -1).tolist()


def test_stones_without_liberties_are_captured_and_suicide_is_not_allowed():
    game = Go(5)
    positions = play(game, "A2 A1 B1")  # White's stone in the corner has lost its liberties
    assert game.describe(positions, 0).splitlines()[-2:] == [" 1 . X . . .", "   A B C D E"]
    with pytest.raises(CaudexError, match="'a1' is not a legal move"):
        game.parse_action(positions, 0, "a1")


def test_a_ko_is_retaken_only_after_a_move_elsewhere():
    game = Go(5)
    ko = "B1 C1 A2 D2 B3 C3 C2 B2"  # White's B2 takes C2
    with pytest.raises(CaudexError, match="'C2' is not a legal move"):
        game.parse_action(play(game, ko), 0, "C2")
    assert game.parse_action(play(game, ko + " E5 A5"), 0, "C2") == 7


@pytest.mark.parametrize(
    "moves, komi, is_over, value",
    [
        ("B2 pass pass", 8.5, True, -1),  # White is to move and has lost: Black owns all nine points
        ("B2 pass pass", 9, True, 0),
        ("B2 pass pass", 9.5, True, 1),
        ("pass B2 pass pass", 0.5, True, -1),  # Black is to move and has lost
        ("B2 pass", 0.5, False, 0),
    ],
)
def test_two_passes_end_the_game_and_komi_decides(moves, komi, is_over, value):
    game = Go(3, komi=komi)
    assert [array.tolist() for array in game.outcome(play(game, moves))] == [[is_over], [value]]


def test_a_game_ends_after_its_limit_of_moves():
    game = Go(5, max_moves=3)
    assert game.outcome(play(game, "A1 B1"))[0].tolist() == [False]
    assert game.outcome(play(game, "A1 B1 C1"))[0].tolist() == [True]


def test_planes_show_the_last_boards_as_the_player_to_move_sees_them():
    game = Go(3, history=2)
    black, white, black_before, white_before, is_black = game.planes(play(game, "A1 C2"))[0]
    assert (black[0, 0], white[1, 2], black.sum(), white.sum()) == (1, 1, 1, 1)
    assert (black_before[0, 0], white_before.sum(), is_black.min()) == (1, 0, 1)
    white, black, *_, is_black = game.planes(play(game, "A1"))[0]
    assert (white.sum(), black[0, 0], is_black.max()) == (0, 1, 0)


def test_the_pass_stays_itself_in_all_eight_symmetries():
    symmetries = Go(5).symmetries()
    assert len({tuple(symmetry.actions) for symmetry in symmetries}) == 8
    assert all(symmetry.actions[25] == 25 for symmetry in symmetries)


def test_it_keeps_the_contract():
    check_game(Go(5, komi=0.5, history=3), num_games=16)


def test_positions_are_the_same_alone_and_in_a_batch():
    game = Go(5)
    for positions in random_positions(game, num_games=8):
        alone = type(positions)(*(array[3:4] for array in positions))
        assert np.array_equal(game.legal(positions)[3], game.legal(alone)[0])


@pytest.mark.parametrize(
    "name, words",
    [
        ("go-2", "from go-3 to go-19"),
        ("go-20", "from go-3 to go-19"),
        ("go-5?komi=many", "komi 'many' is not a number"),
        ("go-5?history=0", "from 1 to 16"),
        ("go-5?max_moves=-1", "from 1 to 10,000"),
    ],
)
def test_settings_out_of_range_are_refused(name, words):
    with pytest.raises(CaudexError, match=words):
        find_game(name)
