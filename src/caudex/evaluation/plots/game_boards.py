"""A game of an agent against itself, and what the network and the search think of moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caudex.core.run import Run
from caudex.envs.boards import Game, Position
from caudex.models.game_agent import GameAgent

MAX_BOARDS = 10


def plot_game(run: Run, agent: GameAgent, simulations: int) -> None:
    """figures/game.png: positions of a game against itself, spread evenly; below each the probabilities of moves before the search
    and after it. No figure for a game whose actions are no places or columns of its board."""
    game = agent.game
    if not has_places(game):
        return
    positions, played = [game.initial(1)], []
    while not game.outcome(positions[-1])[0][0]:
        played.append(agent.search(positions[-1], simulations))
        positions.append(game.apply(positions[-1], played[-1].actions))
    draw = draw_board if has_stones(game, positions) else write_board
    moments = np.unique(np.linspace(0, len(played) - 1, MAX_BOARDS).round().astype(int))
    with run.figure("game", columns=len(moments), rows=3, width=1.5, height=1.7) as axes:
        axes = np.reshape(axes, (3, -1))  # of a game of one move they have one dimension
        for number, column in zip(moments, np.transpose(axes)):
            position, result = positions[number], played[number]
            draw(column[0], game, position, int(result.actions[0]))
            column[0].set_title(f"move {number + 1}", fontsize=8)
            before = agent.policy(position)[0]
            for axis, policy in zip(column[1:], (before, result.policy[0])):
                draw_policy(axis, game, policy)
            column[1].set_title(f"{before.max():.0%}", fontsize=7)
            column[2].set_title(f"{result.policy[0].max():.0%}, wins {(1 + result.values[0]) / 2:.0%}", fontsize=7)
        for axis, label in zip(np.transpose(axes)[0], ("position", "network", "after search")):
            axis.set_ylabel(label, fontsize=8)


def has_places(game: Game) -> bool:
    """Whether actions are the board's places, in order, perhaps with a pass, or its columns."""
    channels, height, width = game.shape
    return channels >= 2 and game.num_actions in (width, height * width, height * width + 1)


def has_stones(game: Game, positions: Sequence[Position]) -> bool:
    """Whether the first two planes can be the players' stones: no place has both in any of these positions."""
    planes = np.concatenate([game.planes(position)[:, :2] for position in positions])
    return not (planes != 0).all(1).any()


def write_board(axis, game: Game, position: Position, action: int) -> None:
    """The position as the game describes it, and the name of the move that follows in red."""
    text = game.describe(position, 0)
    lines = text.splitlines() or [""]
    size = min(8.0, 110 / max(map(len, lines)), 70 / len(lines))  # points: the text fits into its panel
    axis.text(0.5, 0.5, text, ha="center", va="center", family="monospace", fontsize=size, transform=axis.transAxes)
    axis.set_xlabel(game.action_name(position, 0, action), color="tab:red", fontsize=7)
    axis.set(xticks=[], yticks=[])


def draw_board(axis, game: Game, position: Position, action: int) -> None:
    """The stones, player 0's black and player 1's white, and the move that follows in red."""
    own, other = game.planes(position)[0, :2]
    black, white = (own, other) if game.to_play(position)[0] == 0 else (other, own)
    _, height, width = game.shape
    for stones, colour in ((black, "0.15"), (white, "white")):
        y, x = np.nonzero(stones)
        axis.scatter(x, y, s=(95 / max(height, width) * 0.6) ** 2, color=colour, edgecolors="0.15", linewidths=0.6)
    if game.num_actions == width:
        axis.scatter(action, -1, marker="v", s=25, color="tab:red")  # above the column
    elif action < height * width:
        axis.scatter(action % width, action // width, marker="x", s=25, color="tab:red", linewidths=1.5)
    else:
        axis.set_xlabel("pass", color="tab:red", fontsize=7)
    axis.set(xlim=(-0.6, width - 0.4), ylim=limits(game), xticks=[], yticks=[], aspect="equal", facecolor="#e9d9b6")


def draw_policy(axis, game: Game, policy: np.ndarray) -> None:
    _, height, width = game.shape
    if game.num_actions == width:
        axis.bar(np.arange(width), policy, color="tab:red")
        axis.set(ylim=(0, 1), xticks=[], yticks=[])
        return
    grid = policy[: height * width].reshape(height, width)
    axis.imshow(grid, cmap="Reds", vmin=0, vmax=max(1e-6, float(policy.max())))
    axis.set(xticks=[], yticks=[], xlim=(-0.6, width - 0.4), ylim=limits(game))


def limits(game: Game) -> tuple[float, float]:
    """Go counts its rows from below, others from above; there is room above columns."""
    _, height, width = game.shape
    if game.num_actions == width:
        return (height - 0.4, -1.6)
    return (-0.6, height - 0.4) if game.name.startswith("go-") else (height - 0.4, -0.6)
