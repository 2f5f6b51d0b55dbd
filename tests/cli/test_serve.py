"""The command serve: what it needs, what it refuses, and how it ends."""

import sys

import pytest
from helpers.command_line import assert_refused, run_cli
from helpers.game_agents import UniformAgent
from starlette.testclient import TestClient

from caudex.serve import app


@pytest.fixture
def agent(monkeypatch):
    agent = UniformAgent()
    monkeypatch.setattr("caudex.core.system.load", lambda *_: agent)
    return agent


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "jinja2"])
def test_a_missing_package_says_what_to_install(monkeypatch, package):
    for name in [name for name in sys.modules if name.startswith("caudex.serve") or name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert_refused("serve", "runs/az", because=f"serve needs the package {package}: pip install 'caudex[serve]'.")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--port", "80"], "--port 80 is out of range"),
        (["--simulations", "0"], "--simulations 0 is out of range; connect-four takes 1 to 100,000."),
    ],
)
def test_what_cannot_be_is_refused(agent, words, sentence):
    assert_refused("serve", "runs/az", *words, because=sentence)


def test_a_run_that_plays_no_board_game_is_refused(monkeypatch):
    monkeypatch.setattr("caudex.core.system.load", lambda *_: object())
    assert_refused("serve", "runs/cats", because="runs/cats plays no board game; give a run of alpha-zero.")


def test_it_serves_the_page_and_says_how_many_games_were_played(agent, monkeypatch):
    def serve(page, listener, open_browser):
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = TestClient(page, address)
        assert "connect-four · runs/az" in client.get("/").text
        client.headers |= {"x-caudex-token": page.token, "origin": address}
        assert client.post("/moves", json={"version": 1, "action": 0}).status_code == 200
        listener.close()

    monkeypatch.setattr(app, "serve", serve)
    with app.listen(0) as listener:
        port = listener.getsockname()[1]
    output = run_cli("serve", "runs/az", "--port", port, "--simulations", "5")
    assert output.out == "connect-four against runs/az; Ctrl-C ends\n1 game played\n" and agent.simulations == 5
