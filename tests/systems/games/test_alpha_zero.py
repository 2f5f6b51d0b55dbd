"""alpha-zero learns a small game, and resumes bit for bit."""

import shutil
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np
import pytest
import torch
from helpers.board_games import Noughts, random_noughts, row_value
from helpers.command_line import assert_refused
from helpers.interruption import Killed, kill_after
from helpers.trainings import quiet_run, train

import caudex
from caudex.core.checkpointer import Checkpointer
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.specs import GameSpec
from caudex.core.system import open_run, system_at_scale
from caudex.evaluation import game_strength
from caudex.evaluation.optimal_moves import SolvedPositions, packaged_positions
from caudex.systems.games import alpha_zero, shared
from caudex.systems.games.alpha_zero import AlphaZero


@pytest.fixture(autouse=True, scope="module")
def _few_games():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "ELO_GAMES": 2,
            "MATCH_GAMES": 4,
            "STAGES": (0, 100),
            "OPPONENTS": ("random", "mcts-10"),
            "FEWER_SIMULATIONS": (0,),
        }.items():
            patch.setattr(shared, name, value)
        yield


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory):
    path = tmp_path_factory.mktemp("alpha-zero") / "run"
    train(system_at_scale("alpha-zero", "tiny"), path)
    return path


def share_kept(choose, positions):
    """Of positions of tic-tac-toe, those whose value the choice keeps."""
    game, actions = Noughts(), choose(positions)
    after = game.apply(positions, actions)
    return np.mean([-row_value(after, row) == row_value(positions, row) for row in range(len(actions))])


def test_the_network_alone_plays_better_than_at_random(tiny_run):
    agent = caudex.load(tiny_run)
    positions = random_noughts(200, 1)
    own = noughts_of(agent.game, positions)
    random = np.array([np.flatnonzero(legal)[0] for legal in Noughts().legal(positions)])
    untrained = AlphaZero().model(agent.spec)
    kept = share_kept(lambda _: agent.choose_without_search(own), positions)
    assert kept > share_kept(lambda _: random, positions) + 0.1
    assert kept > share_kept(lambda _: untrained.choose_without_search(own), positions) + 0.1
    agent.simulations = 64
    assert share_kept(lambda _: agent.choose(own), positions) > 0.9


def noughts_of(game, positions):
    """The same positions of the game that the run learned."""
    rows = []
    for board, player in zip(positions.board, positions.player):
        state = game.initial(1)
        stones = [list(np.flatnonzero(board == mark)) for mark in (1, 2)]
        for move in range(int((board != 0).sum())):
            state = game.apply(state, np.array([stones[move % 2].pop()]))
        assert game.to_play(state)[0] == player
        rows.append(state)
    return type(rows[0])(*(np.concatenate(parts) for parts in zip(*rows)))


def test_a_killed_training_resumes_to_the_same_weights(tmp_path, monkeypatch):
    system = replace(system_at_scale("alpha-zero", "tiny"), total_positions=400)
    model, whole = train(system, tmp_path / "whole")
    assert whole.stage("training").read_json("about")["resumes"] == "bit for bit"
    monkeypatch.setattr(Checkpointer, "is_due", True)
    with monkeypatch.context() as killing, pytest.raises(Killed):
        killing.setattr(alpha_zero, "fit", partial(fit, step=kill_after(9)))
        train(system, tmp_path / "killed")
    resumed, run = train(system, tmp_path / "killed")
    assert all(torch.equal(*pair) for pair in zip(model.state_dict().values(), resumed.state_dict().values()))
    assert run.stage("training").metrics() == whole.stage("training").metrics()


def test_words_on_the_line(tmp_path, tiny_run):
    tiny = ("train", "alpha-zero", "--scale", "tiny", "--run", tmp_path / "run")
    assert_refused(*tiny, "--game", "conect-four", because="Did you mean connect-four?")
    assert_refused(*tiny, "--simulations", 0, because="--simulations 0 is out of range")
    assert_refused(*tiny, "--window", 10**12, because="GiB of memory")
    assert_refused(*tiny, "--also", "ownership", because="nobody owns the points of tic-tac-toe")
    assert_refused(*tiny, "--also", "game-value", because="teaches it already")
    assert_refused(*tiny, "--also", "rotation", because="needs unlabelled images")


def test_further_signals_learn_beside(tmp_path):
    system = replace(
        system_at_scale("alpha-zero", "tiny"),
        game="go-3",
        total_positions=200,
        also=("ownership", "moves-left:0.1", "next-move:0.2"),
    )
    agent, _ = train(system, tmp_path / "run")
    assert {"ownership", "moves-left", "next-move"} < set(agent.signals)
    assert caudex.load(tmp_path / "run").choose(agent.game.initial(2)).shape == (2,)


def test_a_step_may_go_past_the_shares_at_which_players_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "STAGES", (0, 10, 100))
    system = replace(system_at_scale("alpha-zero", "tiny"), total_positions=1, batch=8)
    _, run = train(system, tmp_path / "run")
    assert {file.stem for file in (run.path / "players").iterdir()} == {"0", "100"}
    assert set(run.read_json("results")["elo"]) == {"0%", "100%", "random", "mcts-10"}


def test_what_is_kept_of_a_training(tiny_run):
    results = msgspec.json.decode((tiny_run / "results.json").read_bytes())
    assert [match["opponent"] for match in results["matches"]] == ["random", "mcts-10"]
    assert all(match["wins"] + match["draws"] + match["losses"] == match["games"] == 4 for match in results["matches"])
    assert set(results["elo"]) == {"0%", "100%", "random", "mcts-10"} and results["elo"]["random"]["elo"] == 0
    assert {file.name for file in (tiny_run / "figures").iterdir()} >= {"elo.png", "game.png"}


def test_the_last_kept_player_is_the_result_and_the_first_is_untrained(tiny_run):
    system, run = open_run(tiny_run)
    model = caudex.load(tiny_run)
    weights = model.state_dict()
    first, last = (system.load_player(share, model.spec, run).state_dict() for share in (0, 100))
    assert all(torch.equal(last[name], weights[name]) for name in weights)
    assert not torch.equal(first["trunk.stem.0.weight"], weights["trunk.stem.0.weight"])


def test_connect_four_is_compared_with_the_truth(tmp_path):
    system = replace(system_at_scale("alpha-zero", "tiny"), game="connect-four", total_positions=300, steps=3)
    positions = packaged_positions()
    few = SolvedPositions(*(array[::50] for array in positions))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(game_strength, "packaged_positions", lambda: few)
        patch.setattr(shared, "SIMULATIONS", 16)
        claim = system.claim(quiet_run(tmp_path / "run"))
        results = quiet_run(tmp_path / "run").read_json("results")
    assert set(claim.baselines) == {"mcts-1000", "mcts-200"} and claim.score == results["strength"][-1]["share"]
    assert 0.3 < claim.controls["untrained network"] < claim.baselines["mcts-1000"]
    assert len(system.result_rows(results)) == 5


class Stuck(Noughts):
    """Without a move after the third."""

    def legal(self, positions):
        return super().legal(positions) & ((positions.board != 0).sum(1) < 3)[:, None]


def test_a_game_that_breaks_the_contract_is_refused_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "find_game", lambda name: Stuck())
    with pytest.raises(CaudexError, match="noughts"):
        train(system_at_scale("alpha-zero", "tiny"), tmp_path / "run")
    assert not (tmp_path / "run" / "stages").exists()


def test_a_spec_of_another_game_is_refused(tiny_run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run, copy)
    spec = (copy / "spec.json").read_text().replace("tic-tac-toe", "go-3")
    (copy / "spec.json").write_text(spec)
    with pytest.raises(CaudexError, match=r"go-3 has planes .* the run learned"):
        caudex.load(copy)


def test_a_player_that_was_deleted_is_named(tiny_run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run, copy)
    (copy / "players" / "0.safetensors").unlink()
    system, run = open_run(copy)
    with pytest.raises(CaudexError, match=r"players/0\.safetensors is gone"):
        system.load_player(0, run.read_spec(GameSpec), run)
