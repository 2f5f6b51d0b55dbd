"""`play` for board games: a board in the terminal, and matches against other players."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np

from caudex.cli.commands import PlayFlags
from caudex.cli.terminal import check_new_file, print_table
from caudex.core.errors import CaudexError
from caudex.core.ranges import check_range
from caudex.envs.boards import Game
from caudex.envs.boards.records import (
    PlayedGame,
    describe_outcome,
    format_games,
    game_kind,
    outcome_of_first,
    record_suffix,
    replay_moves,
    side_names,
)
from caudex.evaluation.game_strength import summarize_scores
from caudex.evaluation.matches import MatchResult, play_match
from caudex.evaluation.players import find_player, set_simulations
from caudex.models.game_agent import GameAgent

GAME_FLAGS = ("opponent", "games", "second", "simulations", "opening_moves")
ENV_FLAGS = ("episodes", "drawn", "env", "env_args", "wrap", "video")
SYMBOLS = {"go": ("X", "O"), "hex": ("x", "o"), "othello": ("x", "o"), "chess": ("capitals", "small letters")}
"""how the terminal draws the sides, where their names do not say it"""
COMMANDS = "undo, hint, quit"


def refuse_flags(flags: PlayFlags, names: Sequence[str], reason: str) -> None:
    """Raises CaudexError where one of these flags was given."""
    for field in fields(flags):
        default = field.default if field.default is not MISSING else None
        if field.name in names and getattr(flags, field.name) != default:
            raise CaudexError(f"{reason}: leave out --{field.name.replace('_', '-')}.")


def play_games(agent: GameAgent, flags: PlayFlags) -> None:
    """Against a human in the terminal, or a match with a table of its results."""
    game = agent.game
    refuse_flags(flags, ENV_FLAGS, f"{flags.run} plays {game.name}, a board game")
    check_range(flags, games=(2, 100_000), opening_moves=(0, game.max_moves))
    check_new_file("--record", flags.record, record_suffix(game))
    set_simulations(agent, flags.simulations)
    if flags.opponent == "human":
        names = (str(flags.run), "human") if flags.second else ("human", str(flags.run))
        games = [PlayedGame(names, TerminalBoard(agent, int(flags.second)).play())]
    else:
        games = play_opponent(agent, flags)
    if flags.record and games[0].moves:
        write_games(flags.record, game, games)


def write_games(file: Path, game: Game, games: Sequence[PlayedGame]) -> None:
    from caudex.core.disk import write_atomically

    write_atomically(file, format_games(game, games).encode())
    print(f"written to {file}")


def play_opponent(agent: GameAgent, flags: PlayFlags) -> list[PlayedGame]:
    """A match; prints its table."""
    game, opponent = agent.game, flags.opponent
    choose = find_player(opponent, game, flags.simulations, flags.seed)
    is_run = Path(opponent).is_dir()
    opening = flags.opening_moves if flags.opening_moves is not None else 2 * is_run
    names = (str(flags.run), opponent)
    result = play_match(game, (agent.choose, choose), flags.games, flags.seed, opening, names)
    print_table(match_rows(game, result))
    if is_run and (different := result.num_different()) < flags.games:  # nothing else repeats a game but by chance
        print(
            f"only {different:,} of these games differ, and the intervals take all to be different; "
            f"more random opening moves help: --opening-moves {opening + 2}."
        )
    return [PlayedGame(names[:: 1 if i % 2 == 0 else -1], moves.tolist()) for i, moves in enumerate(result.moves)]


def match_rows(game: Game, result: MatchResult) -> list[tuple]:
    """By the side that the run played: wins, draws, losses, and the score, a draw counting half, with its 95% interval (Wilson)."""
    rows = [(f"{result.names[0]} plays", "games", "wins", "draws", "losses", "score", "95% interval")]
    first, second = side_names(game)
    parts = {first: result.of_side(0), second: result.of_side(1), "both": result.scores}
    for side, scores in parts.items():
        summary = summarize_scores(scores)
        counts = (f"{summary[name]:,}" for name in ("games", "wins", "draws", "losses"))
        rows.append((side, *counts, f"{summary['share']:.1%}", f"{summary['low']:.1%} to {summary['high']:.1%}"))
    return rows


class TerminalBoard:
    """One game of a human, who has side `human` (0 or 1), against the run. Lines are moves, or one of `COMMANDS`."""

    def __init__(self, agent: GameAgent, human: int):
        self.agent, self.game, self.human = agent, agent.game, human
        self.moves: list[int] = []
        self.positions = self.game.initial(1)

    def play(self) -> list[int]:
        """The moves of the game, until it ends, the human quits, or the input does."""
        sides = side_names(self.game)
        symbol = SYMBOLS.get(game_kind(self.game), ("", ""))[self.human]
        turn = "second" if self.human else "first"
        side, moves = sides[self.human], "" if sides[self.human] == turn else f", who moves {turn}"
        print(f"{self.game.name}: you play {side}{symbol and f' ({symbol})'}{moves}.")
        print(f"Moves are written as {self.example()}; also {COMMANDS}.")
        while outcome_of_first(self.game, self.positions) is None:
            if self.game.to_play(self.positions)[0] != self.human:
                self.reply()
            elif not self.ask():
                print("the game was not finished")
                return self.moves
        print(f"\n{self.game.describe(self.positions, 0)}\n{self.verdict()}")
        return self.moves

    def example(self) -> str:
        legal = np.flatnonzero(self.game.legal(self.positions)[0])
        return self.game.action_name(self.positions, 0, int(legal[len(legal) // 2]))

    def verdict(self) -> str:
        outcome = outcome_of_first(self.game, self.positions)
        won = outcome if self.human == 0 else -outcome
        who = "a draw" if won == 0 else "you win" if won > 0 else "the run wins"
        detail = describe_outcome(self.game, self.positions)
        return who if who == detail else f"{who}: {detail}"

    def reply(self) -> None:
        result = self.agent.search(self.positions)
        action = int(result.actions[0])
        name = self.game.action_name(self.positions, 0, action)
        print(
            f"the run plays {name}; its win chance {chance(result.values[0])}, {self.agent.simulations:,} simulations"
        )
        self.move(action)

    def ask(self) -> bool:
        """Read lines until there is a move; False where the human ends the game."""
        print(f"\n{self.game.describe(self.positions, 0)}")
        while True:
            try:
                line = input("your move: ").strip()
            except EOFError:
                print()
                return False
            if line.lower() in ("quit", "q", "exit"):
                return False
            if line.lower() == "undo":
                self.undo()
                return True
            if line.lower() == "hint":
                self.hint()
            elif line:
                with report_errors():
                    self.move(self.game.parse_action(self.positions, 0, line))
                    return True

    def move(self, action: int) -> None:
        self.positions = self.game.apply(self.positions, np.array([action]))
        self.moves.append(action)

    def undo(self) -> None:
        """Back to the human's move before this one; moves between are taken back, too."""
        for count in range(len(self.moves) - 1, -1, -1):
            positions = replay_moves(self.game, self.moves[:count])
            if self.game.to_play(positions)[0] == self.human:
                self.moves, self.positions = self.moves[:count], positions
                return
        print("there is no move of yours to take back")

    def hint(self) -> None:
        """The three moves that a search visits most."""
        result = self.agent.search(self.positions)
        best = np.argsort(-result.visits[0], kind="stable")[:3]
        names = (
            f"{self.game.action_name(self.positions, 0, int(action))} ({result.visits[0, action]:,})"
            for action in best
            if result.visits[0, action]
        )
        print(f"most visits of a search: {', '.join(names)}; your win chance {chance(result.values[0])}")


def chance(value: float) -> str:
    """Of a value in -1..1: a draw counts half."""
    return f"{(float(value) + 1) / 2:.0%}"


@contextlib.contextmanager
def report_errors():
    try:
        yield
    except CaudexError as error:
        print(error)
