"""Processes that act and learn by themselves, and tell their gradients."""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caudex.core.compute import count_flops
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.pool import exit_with_parent
from caudex.core.seeds import derive_seed
from caudex.core.signal import SignalOutput
from caudex.core.source import Source
from caudex.experience.runner import means

SLOW = ("gymnasium", "torch._dynamo")
"""to import, and imported by the first environment and the first optimiser"""
PATIENCE = 3.0
"""seconds in which actors may end what they are at"""


class Gradient(NamedTuple):
    """What an actor learned of its last steps."""

    parts: tuple[Tensor, ...]  # one for each of `learned(learner)`
    taught: dict[str, SignalOutput]  # plain figures
    flops: float  # what it cost


class Actor(NamedTuple):
    """An actor, as the process that it acts for knows it."""

    process: BaseProcess
    pipe: Connection
    weights: list[Tensor]  # in memory that both have
    gradients: list[Tensor]  # the same


class Actors(Source):
    """Gradients of `count` processes, each as it comes (Mnih et al. 2016, algorithm S3).

    `make(seed)`, which is pickled, gives each its own learner, built as the one here, and a source that acts by it. An
    actor takes the weights as they are, draws one batch, tells its gradient, and goes on once that was used; others move
    the weights meanwhile. Weights and gradient of each lie in memory that it shares with this process alone, and only
    one of the two is at them at a time, so that nothing is read half written.

    They begin with the first `next` and end with the `with` around it, or when this process does. After a checkpoint
    their episodes begin anew. Raises the CaudexError of an actor, and one where an actor was killed.
    """

    inexact_reason = "gradients of several processes come in any order"

    def __init__(self, learner: Learner, make: Callable[[int], tuple[Learner, object]], count: int, seed: int):
        self.learner, self.make, self.count, self.seed = (learner,), make, count, seed  # in a tuple: no part of this
        self.actors: dict[Connection, Actor] = {}
        self.ready: list[Connection] = []  # their gradients have come
        self.used: Actor | None = None  # whose gradient was given last
        self.samples_seen, self.given = 0, 0  # steps in environments, gradients
        self.since: dict[Connection, int] = {}  # what was given when it took the weights
        self.behind: list[int] = []  # how many others had been given in between, since `told`
        self.ended: list[tuple[int, float, int]] = []  # episodes since `told`, as `Acting` has them
        serve((*SLOW, __name__, getattr(make, "func", make).__module__))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __next__(self) -> Gradient:
        if not self.actors:
            self._begin()
        elif self.used:
            self._go_on(self.used)
        self.ready = self.ready or wait(self.actors)  # all that are ready have their turn before any comes again
        pipe = self.ready.pop(0)
        self.used = actor = self.actors[pipe]
        try:
            found = pipe.recv()
        except (EOFError, OSError):
            raise self._lost(actor) from None
        if isinstance(found, Exception):
            raise found
        taught, flops, steps, ended, seen = found
        self.behind.append(self.given - self.since[pipe])
        self.given, self.samples_seen, self.ended = self.given + 1, self.samples_seen + steps, self.ended + ended
        if seen is not None:
            self.learner[0].trunk.update_statistics(torch.from_numpy(seen).to(self.state[0].device))
        return Gradient(tuple(actor.gradients), taught, flops)

    def metrics(self) -> dict[str, float]:
        """Since it was last asked: mean return and length of episodes, and by how many steps of others the weights had
        moved when a gradient came."""
        ended, behind = self.ended, self.behind
        self.ended, self.behind = [], []
        return means(ended) | ({"actors/behind": float(np.mean(behind))} if behind else {})

    def state_dict(self) -> dict:
        return {"samples_seen": self.samples_seen, "ended": [list(each) for each in self.ended]}

    def load_state_dict(self, state: dict) -> None:
        self.samples_seen, self.ended = state["samples_seen"], [tuple(each) for each in state["ended"]]

    def close(self) -> None:
        """End all actors; one that acts on for long is killed."""
        actors, self.actors, self.ready, self.used = self.actors.values(), {}, [], None
        until = time.monotonic() + PATIENCE
        try:
            for actor in actors:
                actor.pipe.close()
            for actor in actors:
                actor.process.join(max(0.0, until - time.monotonic()))
        finally:
            for actor in actors:
                actor.process.kill()
                actor.process.join()

    def _begin(self) -> None:
        self.state = list(self.learner[0].state_dict().values())
        alike, context = (self.state, learned(self.learner[0])), multiprocessing.get_context("forkserver")
        for number in range(self.count):
            memory = context.RawArray("B", sum(map(room, alike)))
            ours, theirs = context.Pipe()
            seed = derive_seed(self.seed, "actor", number, self.samples_seen)
            process = context.Process(target=act, args=(self.make, seed, memory, theirs), name=f"actor {number}")
            process.start()
            theirs.close()  # so that its end is the end of the pipe
            self.actors[ours] = Actor(process, ours, *laid_out(memory, *alike))
            self._go_on(self.actors[ours])

    def _go_on(self, actor: Actor) -> None:
        torch._foreach_copy_(actor.weights, self.state)
        self.since[actor.pipe] = self.given
        try:
            actor.pipe.send(self.learner[0].log_gradients)
        except OSError:
            raise self._lost(actor) from None

    def _lost(self, actor: Actor) -> CaudexError:
        actor.process.join(1)
        code = actor.process.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended by itself with exit code {code}"
        return CaudexError(
            f"{actor.process.name} {how}; perhaps there is not enough memory for {self.count} of them, try fewer --actors. "
            "`caudex resume` goes on from a checkpoint, where there is one."
        )


def act(make: Callable, seed: int, memory, pipe: Connection) -> None:
    """What an actor does as long as it is told to."""
    exit_with_parent()
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    try:
        learner, source = make(seed)
        own, taught_ones = list(learner.state_dict().values()), learned(learner)
        weights, gradients = laid_out(memory, own, taught_ones)
        flops = 0.0
        while (measuring := heard(pipe)) is not None:
            learner.log_gradients = measuring
            torch._foreach_copy_(own, weights)
            acted = source.flops
            batch = next(source)
            with count_flops(learner) if measuring or not flops else nullcontext() as counter:
                taught = learner.compute_gradients(dict.fromkeys(learner.signals, batch))
            flops = counter.flops if counter else flops  # every batch costs the same
            for gradient, parameter in zip(gradients, taught_ones):
                gradient.zero_() if parameter.grad is None else gradient.copy_(parameter.grad)
            ended = source.runner.ended.copy()
            source.runner.ended.clear()
            seen = batch.observations.numpy() if hasattr(learner.trunk, "update_statistics") else None
            cost = flops + source.flops - acted
            tell(pipe, (plain(taught, measuring), cost, len(batch.observations), ended, seen))
        source.runner.env.close()
    except CaudexError as error:
        tell(pipe, error)
    except Exception:
        tell(pipe, RuntimeError(f"in an actor: {traceback.format_exc()}"))


def heard(pipe: Connection) -> bool | None:
    """Waits for the word to go on, which says whether to measure what costs something; None where nobody is there."""
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return None


def tell(pipe: Connection, what: object) -> None:
    with suppress(OSError):  # nobody hears
        pipe.send(what)


@torch.no_grad()
def plain(taught: dict[str, SignalOutput], measuring: bool) -> dict[str, SignalOutput]:
    """The same in figures that can be sent; those that cost something only where one is `measuring`."""
    figures = {}
    for name, said in taught.items():
        known = {what: value for what, value in said.metrics.items() if measuring or not callable(value)}
        metrics = {what: float(value() if callable(value) else value) for what, value in known.items()}
        figures[name] = SignalOutput(float(said.loss), metrics)
    return figures


def learned(learner: Learner) -> list[Tensor]:
    """The parameters that learn."""
    return [parameter for parameter in learner.parameters() if parameter.requires_grad]


def room(tensors: Sequence[Tensor]) -> int:
    """Bytes that `laid_out` needs; each tensor begins at a multiple of 64."""
    return sum(-(-tensor.nbytes // 64) * 64 for tensor in tensors)


def laid_out(memory, *groups: Sequence[Tensor]) -> list[list[Tensor]]:
    """Tensors of the same kinds, shapes and strides, one behind the other in `memory`."""
    whole, made, at = torch.frombuffer(memory, dtype=torch.uint8), [], 0
    for tensors in groups:
        made.append([])
        for tensor in tensors:
            part = whole[at : at + tensor.nbytes].view(tensor.dtype)
            made[-1].append(part.as_strided(tensor.shape, tensor.stride()))
            at += room([tensor])
    return made


def serve(modules: Sequence[str]) -> None:
    """Start the process that actors are forked from, which imports for all of them while other work goes on here. It
    hears no Ctrl-C, nor does what it forks."""
    resource_tracker.ensure_running()  # or it would be started by the next but one line, and let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))
    forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
