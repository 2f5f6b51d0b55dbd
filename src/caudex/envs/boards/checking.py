"""Whether a game keeps the contract of `Game`: it is played at random, and each answer is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np

from caudex.core.errors import CaudexError
from caudex.envs.boards.game import Game, Position, Symmetry, select


def check_game(game: Game, num_games: int = 32, seed: int = 0) -> None:
    """Play random games to their end. Raises CaudexError, one sentence on the first fault: arrays of another shape or type; moves,
    players, values or planes out of range; no legal move in a game that is not over, or one in a game that is; a move that changes its
    position in place, or a finished game; symmetries that do not fit the rules; more than `max_moves` moves."""
    missing = [name for name in ("name", "num_actions", "shape", "max_moves") if not hasattr(game, name)]
    if missing:
        raise CaudexError(f"{type(game).__name__} has no {', '.join(missing)}; set it in the class.")
    rng = np.random.default_rng(seed)
    symmetries = game.symmetries()
    for symmetry in symmetries:
        expect(game, np.array_equal(np.sort(symmetry.actions), np.arange(game.num_actions)),
               "the actions of a symmetry are not a permutation; give each of num_actions once")  # fmt: skip
    positions, *images = (game.initial(num_games) for _ in range(len(symmetries) + 1))
    for _ in range(game.max_moves + 1):
        legal, is_over = check_answers(game, positions, num_games)
        for number, (symmetry, image) in enumerate(zip(symmetries, images)):
            check_symmetry(game, number, symmetry, positions, image)
        if is_over.all():
            return
        actions = random_actions(legal, rng)
        copy = type(positions)(*(array.copy() for array in positions))
        after = game.apply(positions, actions)
        expect(game, is_same(copy, positions), "apply changed a position in place; change copies of its arrays")
        finished = select(positions, is_over), select(after, is_over)
        expect(game, is_same(*finished), "apply changed a finished game; return its row as it was")
        images = [game.apply(image, symmetry.actions[actions]) for symmetry, image in zip(symmetries, images)]
        positions = after
    raise CaudexError(
        f"{game.name}: a game goes on after max_moves, {game.max_moves:,}; end it there, or raise max_moves."
    )


def random_actions(legal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """int64 [B]: one of the legal actions of bool [B, A], drawn uniformly; 0 where there is none."""
    return np.where(legal, rng.random(legal.shape, np.float32), -1).argmax(1)


def check_answers(game: Game, positions: Position, num_games: int) -> tuple[np.ndarray, np.ndarray]:
    """What `legal` and `outcome` say of these positions; raises CaudexError where an answer breaks the contract."""
    for field, array in zip(type(positions)._fields, positions):
        check_array(game, f"the position's {field}", array, (), (num_games, *np.shape(array)[1:]))
    legal, planes, player = game.legal(positions), game.planes(positions), game.to_play(positions)
    is_over, value = game.outcome(positions)
    check_array(game, "legal", legal, ("bool",), (num_games, game.num_actions))
    check_array(game, "is_over", is_over, ("bool",), (num_games,))
    check_array(game, "value", value, ("float32",), (num_games,),
                "; it is that of the player to move, the opponent's is its negative: the two sum to zero")  # fmt: skip
    check_array(game, "to_play", player, ("int64",), (num_games,))
    check_array(game, "planes", planes, ("uint8", "float32"), (num_games, *game.shape))
    has_moves = legal.any(1)
    expect(game, (has_moves | is_over).all(), "a game that is not over has no legal move; end it, or add a pass")
    expect(game, not (has_moves & is_over).any(), "a finished game has legal moves; legal must be False there")
    expect(game, np.isin(player, (0, 1)).all(), f"to_play gave {player.max()}; players are 0 and 1")
    expect(
        game,
        (abs(value) <= 1).all(),
        f"outcome gave the value {value[~(abs(value) <= 1)][:1]}; give values from -1 to 1",
    )
    expect(game, (value[~is_over] == 0).all(), "outcome gave a value to a game that is not over; give 0")
    expect(game, np.isfinite(planes).all(), "planes are not finite numbers; give numbers about 0 to 1")
    return legal, is_over


def check_symmetry(game: Game, number: int, symmetry: Symmetry, positions: Position, image: Position) -> None:
    """Raises CaudexError where the game of the transformed actions is not the transformed game."""
    legal = np.zeros_like(game.legal(positions))
    legal[:, symmetry.actions] = game.legal(positions)
    pairs = {
        "legal": (legal, game.legal(image)),
        "planes": (symmetry.transform(game.planes(positions)), game.planes(image)),
        "outcome": (np.stack(game.outcome(positions)), np.stack(game.outcome(image))),
        "to_play": (game.to_play(positions), game.to_play(image)),
    }
    for method, (expected, answer) in pairs.items():
        expect(game, np.array_equal(expected, answer),
               f"symmetry {number} does not fit the rules: {method} differs after its actions; mend it, or leave it out")  # fmt: skip


def check_array(
    game: Game, what: str, array: Any, dtypes: tuple[str, ...], shape: tuple[int, ...], why: str = ""
) -> None:
    is_array = isinstance(array, np.ndarray)
    form = f"{array.dtype} {array.shape}" if is_array else type(array).__name__
    fits = is_array and array.shape == shape and (not dtypes or array.dtype.name in dtypes)
    expect(game, fits, f"{what} is {form}; it must be {' or '.join(dtypes) or 'an array'} {shape}{why}")


def is_same(positions: Position, others: Position) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(positions, others))


def expect(game: Game, is_kept: bool, fault: str) -> None:
    if not is_kept:
        raise CaudexError(f"{game.name}: {fault}.")
