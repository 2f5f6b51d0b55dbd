"""The page of a board, served in this process, and what it sends."""

import contextlib
import re
import threading
import time

import uvicorn
from starlette.testclient import TestClient

from caudex.serve.app import create_app, listen
from caudex.serve.board_game import BoardGame
from caudex.serve.board_page import board_routes
from helpers.game_agents import UniformAgent

ADDRESS = "http://127.0.0.1:8000"


def open_board(agent=None, name="runs/az") -> tuple[TestClient, BoardGame]:
    """A client that sends what the page would send: of the right host, with the token."""
    board = BoardGame(agent or UniformAgent(), name)
    client = TestClient(create_app(board_routes(board), 8000), ADDRESS, raise_server_exceptions=False)
    (token,) = re.findall(r'name="caudex-token" content="([^"]+)"', client.get("/").text)
    client.headers |= {"x-caudex-token": token, "origin": ADDRESS}
    return client, board


def post(client: TestClient, path: str, version: int, **values):
    return client.post(path, json={"version": version, **values})


@contextlib.contextmanager
def serve_board(agent, name="runs/az"):
    """The address of the page, and its game."""
    board, listener = BoardGame(agent, name), listen(0)
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        create_app(board_routes(board), port), log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/", board
    finally:
        server.should_exit = True
        thread.join(10)
