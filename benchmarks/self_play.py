"""Simulations a processor-second in self-play on Connect Four, ours and others', one thread each; writes results/self-play-speed.csv.

    OMP_NUM_THREADS=1 python benchmarks/self_play.py --openspiel-python open-spiel/bin/python --mctx-python mctx/bin/python

All arms play with a network of the same size, random weights, in processes that take turns; `open_spiel_peer.py` and `mctx_peer.py`
say how their environments are made. OpenSpiel searches one position at a time and keeps 65,536 evaluations; it has no other batching in
Python. `bare network` evaluates batches of so many positions and nothing else: a limit. `caudex_times` is how many times as fast
caudex is in the same round with the same search (puct for OpenSpiel and the bare network) and precision; medians, lowest, highest.
bfloat16 is `--precision bf16-mixed`. The workers' processor time is read from /proc, of Linux.
"""

import argparse
import contextlib
import csv
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from caudex.core.learner import Learner
from caudex.core.precision import computing_in
from caudex.core.specs import GameSpec
from caudex.envs.boards import find_game
from caudex.experience.search.network import network_evaluation
from caudex.experience.self_play import SelfPlayGames
from caudex.experience.self_play_workers import SelfPlayWorkers
from caudex.systems.games.alpha_zero import AlphaZero, make_games

FILE = Path(__file__).parents[1] / "results" / "self-play-speed.csv"
HERE = Path(__file__).parent
GAMES, SIMULATIONS, DEPTH = 64, 64, 4
WIDTHS = (32, 64)
GROWTH = ((8, 64), (256, 64), (64, 16), (64, 200), (256, 200))
"""games side by side and simulations a move, beside 64 and 64"""
WORKERS, WORKER_SIZE = (1, 2, 4), (64, 16)
ONE_THREAD = {
    "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}  # fmt: skip
COLUMNS = (
    "part",
    "width",
    "games",
    "simulations",
    "arm",
    "simulations_per_second",
    "caudex_times",
    "lowest",
    "highest",
)
Rate = Callable[[float], float]
"""seconds to work for, to simulations a processor-second"""


def build_learner(system: AlphaZero) -> tuple[Learner, GameSpec]:
    game = find_game(system.game)
    spec = GameSpec(system.game, game.shape, game.num_actions, game.max_moves, False)
    return system.learner(spec).eval(), spec


def measure(step: Callable[[], int]) -> Rate:
    """The rate of a step that returns how many simulations it made."""

    def rate(seconds: float) -> float:
        simulations, started = 0, time.process_time()
        while (elapsed := time.process_time() - started) < seconds:
            simulations += step()
        return simulations / elapsed

    return rate


def play(search: str, games: int, simulations: int, width: int, precision: str = "32-true") -> Rate:
    system = AlphaZero(
        search=search, num_games=games, simulations=simulations, width=width, depth=DEPTH, opening_moves=0
    )
    learner, _ = build_learner(system)
    source = SelfPlayGames(find_game(system.game), learner, system.self_play_settings(), seed=0)

    def move() -> int:
        with computing_in(learner, precision):
            source.play()
        return games * simulations

    return measure(move)


def evaluate_only(games: int, width: int, precision: str = "32-true") -> Rate:
    learner, _ = build_learner(AlphaZero(width=width, depth=DEPTH))
    planes = np.random.default_rng(0).integers(0, 2, (games, *find_game("connect-four").shape), np.uint8)
    evaluate = network_evaluation(learner.trunk, learner.signals)

    def step() -> int:
        with computing_in(learner, precision):
            for _ in range(16):
                evaluate(planes)
        return 16 * games

    return measure(step)


@contextlib.contextmanager
def peer(python: str, script: str, settings: dict) -> Iterator[Rate]:
    """A process of that Python which is asked for rates line by line."""
    command = [python, "-W", "ignore", str(HERE / script), json.dumps(settings)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, env=os.environ | ONE_THREAD, **pipes) as process:

        def rate(seconds: float) -> float:
            process.stdin.write(f"{seconds}\n")
            simulations, elapsed = json.loads(process.stdout.readline())
            return simulations / elapsed

        try:
            yield rate
        finally:
            process.stdin.close()


def processor_seconds(pids: list[int]) -> float:
    """User and system time of these processes so far; Linux tells it."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def play_in_workers(count: int, games: int, simulations: int, seconds: float) -> float:
    """Simulations a processor-second of so many processes of self-play, in games that ended."""
    system = AlphaZero(
        search="puct", num_games=games, simulations=simulations, width=WIDTHS[0], depth=DEPTH, opening_moves=0
    )
    learner, spec = build_learner(system)
    with SelfPlayWorkers(learner, partial(make_games, system, spec), count, seed=0) as workers:

        def play(num_games: int) -> int:
            """Wait for so many games; returns their positions."""
            positions = []
            while len(positions) < num_games:
                positions += [len(game.value) for game in workers.play()]
            return sum(positions)

        play(2 * count * games)  # the first ones end together
        pids = [process.pid for process in workers.workers.values()]
        positions, started = 0, processor_seconds(pids)
        while (elapsed := processor_seconds(pids) - started) < seconds:
            positions += play(1)
    return positions * simulations / elapsed


def compare(arms: dict[str, tuple[Rate, str]], rounds: int, seconds: float) -> list[dict]:
    """A row an arm; each is compared with the rate of the arm that is named beside it."""
    for rate, _ in arms.values():
        rate(0.1)  # compiles
    rates = [{name: rate(seconds) for name, (rate, _) in arms.items()} for _ in range(rounds)]
    rows = []
    for name, (_, ours) in arms.items():
        times = [each[ours] / each[name] for each in rates]
        speed = statistics.median(each[name] for each in rates)
        rows.append(
            {
                "arm": name,
                "simulations_per_second": round(speed),
                "caudex_times": f"{statistics.median(times):.3g}",
                "lowest": f"{min(times):.3g}",
                "highest": f"{max(times):.3g}",
            }
        )
    return rows


def compare_peers(arguments: argparse.Namespace, width: int) -> list[dict]:
    with contextlib.ExitStack() as stack:
        arms = {
            "caudex, puct": (play("puct", GAMES, SIMULATIONS, width), "caudex, puct"),
            "caudex, gumbel": (play("gumbel", GAMES, SIMULATIONS, width), "caudex, gumbel"),
            "bare network": (evaluate_only(GAMES, width), "caudex, puct"),
        }
        ours = "caudex, puct, bfloat16"
        arms[ours] = play("puct", GAMES, SIMULATIONS, width, "bf16-mixed"), ours
        arms["bare network, bfloat16"] = evaluate_only(GAMES, width, "bf16-mixed"), ours
        network = {"games": GAMES, "simulations": SIMULATIONS, "width": width, "depth": DEPTH}
        if arguments.openspiel_python:
            for name, compiled in (("OpenSpiel", False), ("OpenSpiel, its network under jax.jit", True)):
                start = peer(arguments.openspiel_python, "open_spiel_peer.py", network | {"compiled": compiled})
                arms[name] = stack.enter_context(start), "caudex, puct"
        if arguments.mctx_python:
            for search in ("puct", "gumbel"):
                start = peer(arguments.mctx_python, "mctx_peer.py", network | {"search": search})
                arms[f"mctx, {search}"] = stack.enter_context(start), f"caudex, {search}"
        rows = compare(arms, arguments.rounds, arguments.seconds)
    return [{"width": width, "games": GAMES, "simulations": SIMULATIONS} | row for row in rows]


def compare_sizes(arguments: argparse.Namespace) -> list[dict]:
    rows = []
    for games, simulations in GROWTH:
        ours = "caudex, puct"
        arms = {
            ours: (play("puct", games, simulations, WIDTHS[0]), ours),
            "bare network": (evaluate_only(games, WIDTHS[0]), ours),
        }
        size = {"width": WIDTHS[0], "games": games, "simulations": simulations}
        rows += [size | row for row in compare(arms, 3, arguments.seconds)]
    return rows


def compare_workers(arguments: argparse.Namespace) -> list[dict]:
    """A row a number of processes; `caudex_times` is the rate of one of them divided by theirs, by the processor-second."""
    games, simulations = WORKER_SIZE
    rows, one = [], 0.0
    for count in WORKERS:
        rate = play_in_workers(count, games, simulations, 4 * arguments.seconds * count)
        one = one or rate
        row = {
            "arm": f"caudex, puct, {count} workers",
            "simulations_per_second": round(rate),
            "caudex_times": f"{one / rate:.3g}",
        }
        rows.append({"width": WIDTHS[0], "games": games, "simulations": simulations} | row)
    return rows


PARTS = {
    **{f"peers at width {width}": partial(compare_peers, width=width) for width in WIDTHS},
    "sizes": compare_sizes,
    "workers": compare_workers,
}


def write_rows(part: str, rows: list[dict]) -> None:
    """The rows of this part in place of its old ones."""
    old = list(csv.DictReader(FILE.open())) if FILE.exists() else []
    rows = [row for row in old if row["part"] != part] + [{"part": part} | row for row in rows]
    rows.sort(key=lambda row: list(PARTS).index(row["part"]))
    with FILE.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openspiel-python", help="of an environment with open-spiel, jax and flax")
    parser.add_argument("--mctx-python", help="of an environment with mctx")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="processor time of an arm in a round")
    arguments = parser.parse_args()
    for name, python in (("OpenSpiel", arguments.openspiel_python), ("mctx", arguments.mctx_python)):
        if not python:
            print(f"{name} IS LEFT OUT: give its environment, --{name.lower()}-python PATH.", flush=True)
    torch.set_num_threads(1)
    for part in arguments.parts:
        rows = PARTS[part](arguments)
        write_rows(part, rows)
        for row in rows:
            print(part, row, flush=True)


if __name__ == "__main__":
    main()
