"""A game on the page: only legal moves of the game as it is shown, whoever else plays, and nothing by GET."""

import io
import threading
import time

import chess.pgn
import numpy as np
import pytest
from helpers.board_pages import open_board, post
from helpers.game_agents import UniformAgent


def game_of(client):
    return client.get("/game").json()


def play(client, *texts):
    for text in texts:
        answer = post(client, "/moves", game_of(client)["version"], text=text)
        assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_person_moves_and_the_run_answers_after_a_search():
    client, _ = open_board(UniformAgent(simulations=24))
    game = post(client, "/moves", 1, action=3).json()
    assert (game["moves"], game["to_play"], game["cells"][38], game["last"]) == (["4"], 1, "0", [38])
    game = post(client, "/replies", game["version"]).json()
    assert len(game["moves"]) == 2 and game["to_play"] == 0
    search = game["search"]
    assert (search["ply"], search["simulations"], search["player"]) == (1, 24, 1)
    assert sum(action["visits"] for action in search["actions"]) == 24
    assert search["actions"][0]["name"] == game["moves"][1] and search["chance"] == pytest.approx(0.5, abs=0.2)


def test_a_move_that_is_not_legal_is_a_sentence_and_changes_nothing():
    client, board = open_board()
    for body, sentence in (
        ({"action": 9}, "that is not a legal move here."),
        ({"text": "<b>"}, "'<b>' is not a legal move. Legal: 1, 2, 3, 4, 5, 6, 7."),
        ({"action": 1 << 40}, "that is not a legal move here."),
    ):
        answer = post(client, "/moves", 1, **body)
        assert (answer.status_code, answer.json()["error"]) == (400, sentence)
    assert post(client, "/replies", 1).json() == {"error": "it is your turn."}
    assert post(client, "/returns", 1).json() == {"error": "there is no move to take back."}
    assert game_of(client)["moves"] == [] and board.version == 1
    play(client, "4")
    assert post(client, "/moves", 2, text="4").json()["error"].startswith("it is the run's turn; wait")


@pytest.mark.parametrize(
    "body",
    [
        {}, [], {"version": -1}, {"version": 1, "action": 1.5}, {"version": 1, "action": "3"}, {"version": 1, "extra": 1},
        {"version": 1, "text": "x" * 201},
    ],
)  # fmt: skip
def test_requests_that_the_page_does_not_send_are_refused(body):
    client, board = open_board()
    assert client.post("/moves", json=body).status_code == 422 and board.moves == []


def test_two_tabs_at_once_lose_nothing():
    client, _ = open_board()
    post(client, "/players", 1, humans=[True, True], simulations=8)
    version = game_of(client)["version"]
    assert post(client, "/moves", version, text="4").status_code == 200  # the one tab
    late = post(client, "/moves", version, text="5")  # the other, which does not show that
    assert late.status_code == 409 and late.json()["game"]["moves"] == ["4"]
    for path in ("/returns", "/games", "/hints"):
        assert post(client, path, version).status_code == 409
    assert post(client, "/players", version, humans=[False, False], simulations=1).status_code == 409
    assert game_of(client)["moves"] == ["4"] and game_of(client)["humans"] == [True, True]


def test_many_tabs_ask_for_one_reply_and_get_one():
    client, board = open_board(UniformAgent(simulations=16))
    version, codes = play(client, "4")["version"], []
    threads = [
        threading.Thread(target=lambda: codes.append(post(client, "/replies", version).status_code)) for _ in "abcd"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 409, 409, 409] and len(board.moves) == 2


def test_a_reply_that_comes_after_a_move_was_taken_back_is_not_played():
    agent, started, go_on = UniformAgent(simulations=8), threading.Event(), threading.Event()
    client, board = open_board(agent)
    search = agent.search

    def slow_search(*arguments, **options):
        started.set()
        go_on.wait(10)
        return search(*arguments, **options)

    agent.search = slow_search
    version, answers = play(client, "4")["version"], []
    thread = threading.Thread(target=lambda: answers.append(post(client, "/replies", version)))
    thread.start()
    started.wait(10)
    assert client.get("/stamp").json()["thinking"]
    assert post(client, "/returns", version).json()["moves"] == []
    go_on.set()
    thread.join()
    assert answers[0].status_code == 409 and board.moves == [] and not board.is_thinking


@pytest.mark.parametrize("end", ["/returns", "/games", "close"])
def test_a_search_ends_once_nobody_waits_for_it(end):
    client, board = open_board()
    post(client, "/players", 1, humans=[True, False], simulations=100_000)  # minutes
    version, answers = play(client, "4")["version"], []
    thread = threading.Thread(target=lambda: answers.append(post(client, "/replies", version)))
    thread.start()
    while not board.is_thinking:
        time.sleep(0.01)
    if end == "close":
        board.close()
    else:
        assert post(client, end, version).status_code == 200
    thread.join(20)
    assert answers[0].status_code == 409 and not board.is_thinking


def test_take_back_goes_to_the_persons_last_move_and_a_hint_moves_nothing():
    client, board = open_board(UniformAgent(simulations=8))
    for text in ("4", "5"):
        post(client, "/replies", play(client, text)["version"])
    game = post(client, "/returns", board.version).json()
    assert len(game["moves"]) == 2 and game["to_play"] == 0 and game["search"] is None
    hint = post(client, "/hints", game["version"]).json()
    assert hint["moves"] == game["moves"] and hint["search"]["ply"] == 2 and hint["version"] == game["version"]


def test_the_end_of_a_game_is_said_and_nothing_can_be_played_after_it():
    client, board = open_board()
    post(client, "/players", 1, humans=[True, True], simulations=8)
    game = play(client, *"4545454")
    assert game["over"] and game["outcome"] == "Red wins" and game["legal"] == []
    for path, body in (("/moves", {"text": "1"}), ("/replies", {}), ("/hints", {})):
        assert (
            post(client, path, game["version"], **body).json()["error"].startswith("the game is over; begin a new one")
        )
    assert post(client, "/games", game["version"]).json()["moves"] == []
    assert board.num_games() == 1


def test_simulations_can_be_set_within_limits():
    client, _ = open_board()
    answer = post(client, "/players", 1, humans=[False, True], simulations=0)
    assert answer.json() == {"error": "simulations 0 are out of range; connect-four takes 1 to 100,000."}
    game = post(client, "/players", 1, humans=[False, True], simulations=5).json()
    assert (game["simulations"], game["humans"]) == (5, [False, True])
    search = post(client, "/replies", game["version"]).json()["search"]
    assert sum(action["visits"] for action in search["actions"]) == 5
    assert (
        open_board(UniformAgent("chess"))[1].describe()["max_simulations"] < 20_000
    )  # a tree has room for all actions


def test_all_games_can_be_downloaded():
    client, _ = open_board(UniformAgent("chess", 4), name="runs/az")
    assert client.get("/record").text == ""
    post(client, "/players", 1, humans=[True, True], simulations=4)
    post(client, "/games", play(client, "e4", "e5")["version"])
    play(client, "d4")
    answer = client.get("/record")
    assert answer.headers["content-disposition"] == 'attachment; filename="games.pgn"'
    assert answer.headers["content-type"].startswith("application/x-chess-pgn")
    file = io.StringIO(answer.text)
    games = [chess.pgn.read_game(file) for _ in range(2)]
    assert [len(list(game.mainline_moves())) for game in games] == [2, 1]


def test_get_changes_nothing_and_changes_need_origin_and_token():
    client, board = open_board()
    for path in ("/", "/game", "/stamp", "/record", "/static/board.js"):
        assert client.get(path).status_code == 200
    for path in ("/moves", "/replies", "/hints", "/returns", "/games", "/players"):
        assert client.get(path).status_code == 405
        for headers in ({"origin": "http://evil.example"}, {"x-caudex-token": "wrong"}):
            assert client.post(path, json={"version": 1}, headers=headers).status_code == 403
    assert board.version == 1 and board.moves == []


def test_a_name_with_markup_is_escaped():
    client, _ = open_board(name='<img src=x onerror="alert(1)">\u202e')
    text = client.get("/").text
    assert "<img" not in text and "&lt;img" in text and "\u202e" not in text


def test_a_run_that_plays_no_legal_move_says_so_and_the_game_stays():
    agent = UniformAgent("go-3", 4)
    agent.search = lambda positions, simulations: 1 / 0
    client, board = open_board(agent)
    answer = post(client, "/replies", play(client, "B2")["version"])
    assert answer.status_code == 500 and "the program failed (ZeroDivisionError)" in answer.json()["error"]
    assert not board.is_thinking and len(board.moves) == 1


@pytest.mark.parametrize(
    "name", ["go-5", "hex-5", "othello", "tic-tac-toe", "open_spiel:breakthrough?rows=4&columns=4"]
)
def test_whole_games_are_described_at_every_position(name):
    client, _ = open_board(UniformAgent(name, 4))
    version = post(client, "/players", 1, humans=[False, False], simulations=4).json()["version"]
    while not (game := post(client, "/replies", version).json())["over"]:
        version = game["version"]
        assert game["legal"] and len(game["cells"]) == np.prod([game["layout"][key] for key in ("rows", "columns")])
    assert game["outcome"] == "a draw" or "wins" in game["outcome"]
