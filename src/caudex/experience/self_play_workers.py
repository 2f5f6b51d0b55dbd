"""Processes that play games against themselves while this one learns."""

from __future__ import annotations

import multiprocessing
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TypedDict

import torch

from caudex.core.disk import parse_tensors, serialize_tensors, write_atomically
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.pool import exit_with_parent
from caudex.core.seeds import derive_seed
from caudex.core.typed_json import Amount, Count, check_kind
from caudex.core.weights import distinct_tensors, load_weights
from caudex.experience.actors import start_forkserver
from caudex.experience.game_window import FinishedGame
from caudex.experience.self_play import SelfPlayGames


class WorkersState(TypedDict):
    num_starts: Count
    flops: Amount


class SelfPlayWorkers:
    """The games of `count` processes, as they end, in the place of `SelfPlayGames`.

    `make(seed)`, which is pickled, gives each its own games. Before each move a worker takes the learner's newest weights, from a
    file that is replaced whole. Games come whole or not at all: those of a worker that is killed are lost, and the others go on.
    They begin with the first `play` and end with the `with` around this. Raises the CaudexError of a worker, and one where all
    were killed.
    """

    inexact_reason = "games of several processes come in any order, and begin anew"

    def __init__(self, learner: Learner, make: Callable[[int], SelfPlayGames], count: int, seed: int):
        self.learner, self.make, self.count, self.seed = learner, make, count, seed
        self.workers: dict[Connection, BaseProcess] = {}
        self.num_starts, self.flops = 0, 0.0

    def __enter__(self) -> SelfPlayWorkers:
        self.folder = tempfile.TemporaryDirectory(prefix="caudex-")
        self.weights_file = Path(self.folder.name) / "weights.safetensors"
        return self

    def __exit__(self, *_) -> None:
        workers, self.workers = self.workers, {}
        for pipe, process in workers.items():
            process.kill()
            process.join()
            pipe.close()
        self.folder.cleanup()

    def play(self) -> list[FinishedGame]:
        """Waits for games that ended."""
        write_atomically(self.weights_file, serialize_tensors(distinct_tensors(self.learner.state_dict())))
        if not self.workers:
            self._start()
        finished = []
        for pipe in wait(self.workers):
            try:
                message = pipe.recv()
            except (EOFError, OSError):
                self._drop(pipe)
                continue
            if isinstance(message, Exception):
                raise message
            games, flops = message
            finished += games
            self.flops += flops
        return finished

    def _start(self) -> None:
        start_forkserver((__name__, type(self.make).__module__))
        context = multiprocessing.get_context("forkserver")
        self.num_starts += 1
        for number in range(self.count):
            seed = derive_seed(self.seed, "self-play", number, self.num_starts)
            pipe, child_pipe = context.Pipe(duplex=False)
            process = context.Process(target=run_worker, args=(self.make, seed, self.weights_file, child_pipe))
            process.start()
            child_pipe.close()  # so that its end is the end of the pipe
            self.workers[pipe] = process

    def _drop(self, pipe: Connection) -> None:
        process = self.workers.pop(pipe)
        process.join(1)
        pipe.close()
        if not self.workers:
            raise CaudexError(
                f"every process of self-play was killed (exit code {process.exitcode}), perhaps for want of memory; try fewer --actors or "
                "--num-games. `caudex resume` goes on from a checkpoint, where there is one."
            )
        print(
            f"a process of self-play was killed (exit code {process.exitcode}); {len(self.workers)} go on", flush=True
        )

    def state_dict(self) -> dict:
        return {"num_starts": self.num_starts, "flops": self.flops}

    def load_state_dict(self, state: dict) -> None:
        check_kind(state, WorkersState)
        self.num_starts, self.flops = state["num_starts"], state["flops"]


def run_worker(make: Callable[[int], SelfPlayGames], seed: int, weights_file: Path, pipe: Connection) -> None:
    """Plays until it is killed or nobody listens."""
    exit_with_parent()
    torch.set_num_threads(1)
    with suppress(BrokenPipeError):
        try:
            games, version, flops = make(seed), 0, 0.0
            while True:
                version = load_newer(games.learner, weights_file, version)
                finished = games.play()
                if finished:
                    pipe.send((finished, games.flops - flops))
                    flops = games.flops
        except CaudexError as error:
            pipe.send(error)
        except BrokenPipeError:
            raise
        except Exception:  # raised again in the process that waits for this one
            pipe.send(RuntimeError(f"in a process of self-play: {traceback.format_exc()}"))


def load_newer(learner: Learner, weights_file: Path, version: int) -> int:
    """Load the weights if the file was replaced since `version`; returns the version that the learner has now."""
    newest = weights_file.stat().st_mtime_ns
    if newest != version:
        load_weights(learner, parse_tensors(weights_file.read_bytes(), weights_file))
    return newest
