"""mctx in self-play on Connect Four; `self_play.py` runs it in an environment of its own.

    python -m venv mctx && mctx/bin/pip install mctx jax
    mctx/bin/python benchmarks/mctx_peer.py '{"games": 64, "simulations": 64, "width": 32, "depth": 4, "search": "puct"}'

The rules and the network are ours, as small as jax allows; a move of all games is one compiled function. `search` puct is its
muzero_policy, gumbel its gumbel_muzero_policy. Each line of standard input, a number of seconds of processor time, is answered by
[simulations, seconds].
"""

import json
import sys
import time
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mctx

ROWS, COLUMNS = 6, 7
POLICIES = {"puct": mctx.muzero_policy, "gumbel": mctx.gumbel_muzero_policy}


class Position(NamedTuple):
    stones: jax.Array  # bool [B, 2, 6, 7], of the player to move and of the opponent
    is_over: jax.Array  # bool [B]


def initial(games: int) -> Position:
    return Position(jnp.zeros((games, 2, ROWS, COLUMNS), bool), jnp.zeros(games, bool))


def has_line(stones: jax.Array) -> jax.Array:
    """bool [B]: whether four of bool [B, 6, 7] stand in a line."""
    upright = jnp.zeros(len(stones), bool)
    for down, right in ((1, 0), (0, 1), (1, 1), (1, -1)):
        board = jnp.pad(stones, ((0, 0), (0, 3), (3, 3)))
        shifted = [board[:, k * down : k * down + ROWS, 3 + k * right : 3 + k * right + COLUMNS] for k in range(4)]
        upright |= (shifted[0] & shifted[1] & shifted[2] & shifted[3]).any((1, 2))
    return upright


def apply(position: Position, actions: jax.Array) -> tuple[Position, jax.Array]:
    """The next positions, and the reward of who moved."""
    stones, is_over = position
    free = ROWS - 1 - stones.any(1).sum(1)[jnp.arange(len(actions)), actions]
    moved = stones.at[jnp.arange(len(actions)), 0, free, actions].set(True)
    is_won = has_line(moved[:, 0]) & ~is_over
    stones = jnp.where(is_over[:, None, None, None], stones, moved[:, ::-1])
    return Position(stones, is_over | is_won | stones.any(1).all((1, 2))), is_won.astype(jnp.float32)


def build_network(key: jax.Array, width: int, depth: int) -> dict:
    """Weights of a stem and residual blocks with folded normalisation, and of two heads, by He's rule."""
    shapes = {"stem": (3, 3, 2, width), "policy": (1, 1, width, 2), "value": (1, 1, width, 1)}
    shapes |= {f"block{i}{half}": (3, 3, width, width) for i in range(depth) for half in "ab"}
    shapes |= {"actions": (2 * ROWS * COLUMNS, COLUMNS), "hidden": (ROWS * COLUMNS, 64), "last": (64, 1)}
    keys = jax.random.split(key, len(shapes))
    return {
        name: jax.random.normal(key, shape) * (2 / jnp.prod(jnp.array(shape[:-1]))) ** 0.5
        for key, (name, shape) in zip(keys, shapes.items())
    }


def evaluate(weights: dict, depth: int, position: Position) -> tuple[jax.Array, jax.Array]:
    def convolve(x, name):
        return jax.lax.conv_general_dilated(
            x, weights[name], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    x = jax.nn.relu(convolve(position.stones.transpose(0, 2, 3, 1).astype(jnp.float32), "stem"))
    for block in range(depth):
        y = jax.nn.relu(convolve(x, f"block{block}a"))
        x = jax.nn.relu(x + convolve(y, f"block{block}b"))
    flat = [jax.nn.relu(convolve(x, head)).reshape(len(x), -1) for head in ("policy", "value")]
    return flat[0] @ weights["actions"], jnp.tanh(jax.nn.relu(flat[1] @ weights["hidden"]) @ weights["last"])[:, 0]


@partial(jax.jit, static_argnames=("depth", "simulations", "search"))
def play(weights: dict, depth: int, simulations: int, search: str, position: Position, key: jax.Array) -> Position:
    """One move in every game; where one ends the next begins."""

    def follow(weights, key, actions, position):
        position, reward = apply(position, actions)
        logits, values = evaluate(weights, depth, position)
        discount = jnp.where(position.is_over, 0.0, -1.0)  # the value of the opponent counts against
        logits = jnp.where(position.stones.any(1)[:, 0], -1e9, logits)
        return mctx.RecurrentFnOutput(reward=reward, discount=discount, prior_logits=logits, value=values), position

    full = position.stones.any(1)[:, 0]
    logits, values = evaluate(weights, depth, position)
    root = mctx.RootFnOutput(prior_logits=logits, value=values, embedding=position)
    output = POLICIES[search](weights, key, root, follow, simulations, invalid_actions=full)
    position, _ = apply(position, output.action)
    fresh = initial(len(values))
    return jax.tree.map(
        lambda new, old: jnp.where(position.is_over.reshape(-1, *[1] * (old.ndim - 1)), new, old), fresh, position
    )


def main() -> None:
    settings = json.loads(sys.argv[1])
    games, simulations, depth = settings["games"], settings["simulations"], settings["depth"]
    key, position = jax.random.key(0), initial(games)
    weights = build_network(key, settings["width"], depth)
    for line in sys.stdin:
        moves, started = 0, time.process_time()
        while (elapsed := time.process_time() - started) < float(line):
            key, part = jax.random.split(key)
            position = jax.block_until_ready(play(weights, depth, simulations, settings["search"], position, part))
            moves += 1
        print(json.dumps([moves * games * simulations, elapsed]), flush=True)


if __name__ == "__main__":
    main()
