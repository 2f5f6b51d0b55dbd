import chess
import numpy as np
import pyspiel
import pytest
from helpers.boards import random_positions

from caudex.core.errors import CaudexError
from caudex.envs.boards import check_game, find_game, random_actions

NUM_SYMMETRIES = {"tic-tac-toe": 8, "othello": 4, "hex-7": 2}


@pytest.mark.parametrize(
    "name", [*NUM_SYMMETRIES, "open_spiel:breakthrough?rows=5&columns=5", "open_spiel:dots_and_boxes"]
)
def test_games_keep_the_contract(name):
    game = find_game(name)
    check_game(game, num_games=4)
    assert len(game.symmetries()) == NUM_SYMMETRIES.get(name, 1)


@pytest.mark.parametrize("name", NUM_SYMMETRIES)
def test_the_players_see_their_own_stones_first(name):
    game = find_game(name)
    for positions in random_positions(game, num_games=2):
        rows = ~game.outcome(positions)[0]
        text = [game.describe(positions, row) for row in range(2)]
        for row in np.flatnonzero(rows):
            own, other = game.planes(positions)[row, :2].sum((1, 2)).tolist()
            lines = [line for line in text[row].splitlines() if "play" not in line and "a b" not in line]
            counts = [sum(line.count(letter) for line in lines) for letter in "xo"]
            assert [own, other] == (counts if game.to_play(positions)[row] == 0 else counts[::-1])


def test_values_are_divided_by_the_highest():
    game = find_game("open_spiel:dots_and_boxes?utility_margin=true")
    assert game.highest == 4
    last = [*random_positions(game, num_games=16)][-1]
    is_over, value = game.outcome(last)
    assert is_over.all() and set(np.unique(value * 4)) <= {-4, -2, 0, 2, 4}


def test_who_moves_twice_stays_to_play():
    game = find_game("open_spiel:dots_and_boxes?num_rows=1&num_cols=1")
    positions, players = game.initial(1), []
    for _ in range(4):
        players.append(game.to_play(positions)[0])
        positions = game.apply(positions, random_actions(game.legal(positions), np.random.default_rng(0)))
    assert players == [0, 1, 0, 1]
    assert (game.to_play(positions)[0], game.outcome(positions)[1][0]) == (0, -1)  # player 1 closed the box


@pytest.mark.parametrize(
    "name, fault",
    [
        ("kuhn_poker", "it has chance, it hides information"),
        ("backgammon", "it has chance"),
        ("matrix_rps", "its players move at the same time"),
        ("tiny_bridge_2p", "its values do not sum to zero"),
        ("chinese_checkers?players=3", "is made for 3 players; games here have two"),
        ("catch", "it is not for two players"),
        ("breakthrou", "Did you mean breakthrough?"),
        ("breakthrough?rows=a", "Wrong type for parameter rows"),
        ("breakthrough?rose=5", "Unknown parameter 'rose'"),
    ],
)
def test_other_games_are_refused_by_name(name, fault):
    with pytest.raises(CaudexError, match="open_spiel:") as caught:
        find_game(f"open_spiel:{name}")
    assert fault in str(caught.value)


def test_chess_agrees_with_the_package_chess():
    game, rng = find_game("chess"), np.random.default_rng(0)
    positions, boards = game.initial(4), [chess.Board() for _ in range(4)]
    for _ in range(40):
        legal, is_over = game.legal(positions), game.outcome(positions)[0]
        actions = random_actions(legal, rng)
        for row in np.flatnonzero(~is_over):
            names = {game.action_name(positions, row, action) for action in np.flatnonzero(legal[row])}
            assert names == {move.uci() for move in boards[row].legal_moves}
            boards[row].push_uci(game.action_name(positions, row, actions[row]))
        positions = game.apply(positions, actions)


def test_chess_is_seen_with_the_movers_pieces_below():
    game = find_game("chess")
    white = chess_position("r3k2r/pppppppp/8/8/8/8/PPPPPPP1/R3K3 w Qkq - 0 1")
    black = chess_position("r3k3/ppppppp1/8/8/8/8/PPPPPPPP/R3K2R b KQq - 0 1")  # the same with the colours changed
    planes = game.planes(white)[0]
    others = game.planes(black)[0]
    assert planes[0].nonzero() == (np.array([0]), np.array([4]))  # the king on e1
    assert (planes[14].min(), others[14].max()) == (1, 0)  # White is to move, or Black
    planes[14] = others[14] = 0
    assert np.array_equal(planes, others)
    assert np.array_equal(game.legal(white), game.legal(black))


def chess_position(fen):
    from caudex.envs.boards.open_spiel import OpenSpielPosition, object_array

    return OpenSpielPosition(object_array([pyspiel.load_game("chess").new_initial_state(fen)]))


def test_a_promotion_is_written_with_its_piece():
    game, positions = find_game("chess"), chess_position("8/4P2k/8/8/8/8/8/4K3 w - - 0 1")
    queen, knight = (game.parse_action(positions, 0, text) for text in ("e7e8q", "e8=N"))
    assert "Q" in game.describe(game.apply(positions, np.array([queen])), 0)
    assert "N" in game.describe(game.apply(positions, np.array([knight])), 0)
    with pytest.raises(CaudexError, match=r"'e7e8k' is not a legal move\. Did you mean e7e8"):
        game.parse_action(positions, 0, "e7e8k")


def test_squares_are_named_beside_the_board():
    drawings = {
        "tic-tac-toe": ("c1", "   a b c\n 1 . . x\n 2 . . .\n 3 . . ."),
        "hex-3": ("b1", "   a b c\n 1 . x .\n 2  . . .\n 3   . . ."),
    }
    for name, (move, drawing) in drawings.items():
        game, positions = find_game(name), find_game(name).initial(1)
        action = game.parse_action(positions, 0, move)
        assert game.action_name(positions, 0, action) == move
        assert game.describe(game.apply(positions, np.array([action])), 0) == drawing
    chess_lines = find_game("chess").describe(find_game("chess").initial(1), 0).splitlines()
    assert (chess_lines[0], chess_lines[-1]) == ("8 r n b q k b n r", "  a b c d e f g h")
