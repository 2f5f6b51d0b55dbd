"""OpenSpiel's Python AlphaZero in self-play on Connect Four; `self_play.py` runs it in an environment of its own.

    python -m venv open-spiel && open-spiel/bin/pip install open-spiel==2.0.2 jax flax optax chex orbax-checkpoint
    open-spiel/bin/python benchmarks/open_spiel_peer.py '{"simulations": 64, "width": 32, "depth": 4, "compiled": false}'

Its own network, bots, evaluator with its cache, and settings of examples/alpha_zero.py; one actor. `compiled` puts its inference under
jax.jit, which it leaves out. Its layers expect the planes last, but get them first: the shape given here, planes last, has the
arithmetic of the equal network. Each line of standard input, a number of seconds of processor time, is answered by [simulations, seconds].
"""

import json
import sys
import time

import jax
import numpy as np
import pyspiel
from flax import nnx
from open_spiel.python.algorithms import mcts
from open_spiel.python.algorithms.alpha_zero import evaluator, model_nnx


def build_model(game: pyspiel.Game, width: int, depth: int, compiled: bool) -> model_nnx.Model:
    planes, rows, columns = game.observation_tensor_shape()
    model = model_nnx.Model.build_model(
        "resnet", (rows, columns, planes), game.num_distinct_actions(), width, depth, 1e-4, 1e-3, None
    )
    if compiled:
        network = nnx.merge(model._state.graphdef, model._state.params, model._state.batch_stats)
        network.eval()
        graph, weights = nnx.split(network)

        @jax.jit
        def predict(observation, legal):
            logits, value = nnx.merge(graph, weights)(observation)
            return value, jax.nn.softmax(jax.numpy.where(legal, logits, -jax.numpy.inf))

        model.inference = lambda observation, legal: jax.device_get(predict(observation.astype(np.float32), legal != 0))
    return model


def main() -> None:
    settings = json.loads(sys.argv[1])
    game = pyspiel.load_game("connect_four")
    model = build_model(game, settings["width"], settings["depth"], settings["compiled"])
    evaluate = evaluator.AlphaZeroEvaluator(game, model)
    bot = mcts.MCTSBot(
        game, 2, settings["simulations"], evaluate, solve=False, dirichlet_noise=(0.25, 1),
        child_selection_fn=mcts.SearchNode.puct_value, dont_return_chance_node=True,
    )  # fmt: skip
    state, rng = game.new_initial_state(), np.random.default_rng(0)
    for line in sys.stdin:
        moves, started = 0, time.process_time()
        while (elapsed := time.process_time() - started) < float(line):
            root = bot.mcts_search(state)
            visits = np.array([child.explore_count for child in root.children])
            actions = [child.action for child in root.children]
            state.apply_action(int(rng.choice(actions, p=visits / visits.sum())))
            if state.is_terminal():
                state = game.new_initial_state()
            moves += 1
        print(json.dumps([moves * settings["simulations"], elapsed]), flush=True)


if __name__ == "__main__":
    main()
