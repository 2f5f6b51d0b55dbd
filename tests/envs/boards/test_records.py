import io

import chess.pgn
import numpy as np
import pytest
from helpers.board_games import Noughts

from caudex.envs.boards import find_game
from caudex.envs.boards.records import (
    PlayedGame,
    describe_outcome,
    escape_sgf,
    format_games,
    game_kind,
    record_suffix,
    replay_moves,
    sgf_point,
    side_names,
)


def moves_of(game, text):
    positions, moves = game.initial(1), []
    for word in text.split():
        moves.append(game.parse_action(positions, 0, word))
        positions = game.apply(positions, np.array(moves[-1:]))
    return moves


@pytest.mark.parametrize(
    ("point", "coordinates"), [("A1", "ae"), ("A5", "aa"), ("E5", "ea"), ("E1", "ee"), ("B4", "bb"), ("pass", "")]
)
def test_aa_is_the_top_left_point(point, coordinates):
    game = find_game("go-5")
    assert sgf_point(5, game.parse_action(game.initial(1), 0, point)) == coordinates


def test_a_game_of_go_is_sgf_with_its_result():
    game = find_game("go-5?komi=3.5")
    moves = moves_of(game, "C3 A1 pass pass")
    text = format_games(game, [PlayedGame(("me", "runs/a]b\\c\nd"), moves)])
    assert text == (
        "(;FF[4]GM[1]CA[UTF-8]AP[caudex]SZ[5]KM[3.5]RU[Tromp-Taylor]PB[me]PW[runs/a\\]b\\\\c d]RE[W+3.5]\n"
        ";B[cc];W[ae];B[];W[])\n"
    )  # one stone each
    assert describe_outcome(game, replay_moves(game, moves)) == "White wins by 3.5 points"
    assert "RE[?]" in format_games(game, [PlayedGame(("a", "b"), moves[:2])])
    assert escape_sgf("a:b") == "a\\:b"


def test_a_game_of_chess_is_pgn_that_can_be_read_again():
    game = find_game("chess")
    moves = moves_of(game, "f3 e5 g4 Qh4")
    text = format_games(game, [PlayedGame(('O"Hara\\', "b"), moves), PlayedGame(("c", "d"), moves[:2])])
    file = io.StringIO(text)
    first, second = chess.pgn.read_game(file), chess.pgn.read_game(file)
    assert (first.headers["Result"], first.headers["Black"], second.headers["Result"]) == ("0-1", "b", "*")
    assert '[White "O\\"Hara\\\\"]' in text
    assert [move.uci() for move in first.mainline_moves()] == ["f2f3", "e7e5", "g2g4", "d8h4"]
    assert describe_outcome(game, replay_moves(game, moves)) == "Black wins"


def test_other_games_are_lists_of_moves():
    game = find_game("connect-four")
    moves = moves_of(game, "4 5 4 5 4 5 4")
    assert format_games(game, [PlayedGame(("ann", "bob"), moves), PlayedGame(("bob", "ann"), moves[:1])]) == (
        "game: connect-four\nX: ann\nO: bob\noutcome: X wins\nmoves: 4 5 4 5 4 5 4\n\n"
        "game: connect-four\nX: bob\nO: ann\noutcome: not finished\nmoves: 4\n"
    )


def test_kinds_are_those_of_our_own_games():
    kinds = {
        "go-9": "go",
        "hex-5": "hex",
        "open_spiel:chess": "chess",
        "open_spiel:breakthrough": "",
        "othello": "othello",
    }
    assert {name: game_kind(find_game(name)) for name in kinds} == kinds
    assert record_suffix(find_game("go-9")) == ".sgf" and record_suffix(find_game("open_spiel:chess")) == ".pgn"
    user_game = Noughts()
    user_game.name = "go-home"
    assert (
        game_kind(user_game) == ""
        and side_names(user_game) == ("first", "second")
        and record_suffix(user_game) == ".txt"
    )
