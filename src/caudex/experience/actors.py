"""Processes that act and learn by themselves, and send their gradients."""

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
from typing import NamedTuple, TypedDict

import numpy as np
import torch
from torch import Tensor

from caudex.core.compute import count_flops
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.placement import flush_denormals, to_device
from caudex.core.pool import exit_with_parent
from caudex.core.precision import batch_dtype, computing_in
from caudex.core.seeds import derive_seed
from caudex.core.signal import SignalOutput
from caudex.core.source import Source
from caudex.core.typed_json import Count, check_kind
from caudex.experience.runner import episode_metrics

SLOW_IMPORTS = ("gymnasium", "torch._dynamo")
"""imported by the first environment and the first optimiser"""
SHUTDOWN_SECONDS = 3.0
"""in which actors may finish their batch"""


class ActorGradient(NamedTuple):
    """The gradient of an actor's last batch."""

    gradients: tuple[Tensor, ...]  # one for each of `trainable_parameters(learner)`
    outputs: dict[str, SignalOutput]  # plain figures
    flops: float  # what it cost


class Actor(NamedTuple):
    """An actor, as seen from the process that it works for."""

    process: BaseProcess
    pipe: Connection
    weights: list[Tensor]  # in shared memory
    gradients: list[Tensor]  # the same


class ActorsState(TypedDict):
    samples_seen: Count
    finished_episodes: list[tuple[int, float, int]]


class Actors(Source):
    """Gradients of `count` processes, each as it comes (Mnih et al. 2016, algorithm S3).

    `make(seed)`, which is pickled, gives each its own learner, built as the one here, and a source that acts by it. An
    actor takes the weights as they are, draws one batch, sends its gradient, and goes on once that was applied; others move
    the weights meanwhile. Weights and gradients of each lie in memory that it shares with this process alone, and only
    one of the two uses them at a time, so that nothing is read half written.

    They begin with the first `next` and end with the `with` around it, or when this process does. After a checkpoint
    their episodes begin anew. Raises the CaudexError of an actor, and one where an actor was killed.
    """

    sample_unit = "env steps"

    def __init__(
        self,
        learner: Learner,
        make: Callable[[int], tuple[Learner, Source]],
        count: int,
        seed: int,
        precision: str = "32-true",
    ):
        self.learner, self.make, self.count, self.seed = (learner,), make, count, seed  # in a tuple: no part of this
        self.precision = precision
        self.actors: dict[Connection, Actor] = {}
        self.ready: list[Connection] = []  # whose gradients have come
        self.last_actor: Actor | None = None  # whose gradient was returned last
        self.samples_seen, self.num_gradients = 0, 0
        self.weights_from: dict[Connection, int] = {}  # `num_gradients` when the actor took the weights
        self.staleness: list[int] = []  # of each gradient, since `metrics`: gradients of others in between
        self.finished_episodes: list[tuple[int, float, int]] = []  # since `metrics`, as `EnvRunner` has them
        start_forkserver((*SLOW_IMPORTS, __name__, getattr(make, "func", make).__module__))

    @property
    def inexact_reason(self) -> str:
        order = "gradients of several actors come in any order, and " if self.count > 1 else ""
        return f"{order}the episodes of an actor begin anew"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __next__(self) -> ActorGradient:
        if not self.actors:
            self._start_actors()
        elif self.last_actor:
            self._resume(self.last_actor)
        self.ready = self.ready or wait(self.actors)  # all that are ready have their turn before any comes again
        pipe = self.ready.pop(0)
        self.last_actor = actor = self.actors[pipe]
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            raise self._actor_lost(actor) from None
        if isinstance(message, Exception):
            raise message
        outputs, flops, env_steps, finished_episodes, observations = message
        self.staleness.append(self.num_gradients - self.weights_from[pipe])
        self.num_gradients, self.samples_seen = self.num_gradients + 1, self.samples_seen + env_steps
        self.finished_episodes = self.finished_episodes + finished_episodes
        if observations is not None:
            self.learner[0].trunk.update_statistics(torch.from_numpy(observations).to(self.state[0].device))
        return ActorGradient(tuple(actor.gradients), outputs, flops)

    def metrics(self) -> dict[str, float]:
        """Since the last call: mean return and length of episodes, and by how many steps of others the weights had moved
        when a gradient came."""
        finished_episodes, staleness = self.finished_episodes, self.staleness
        self.finished_episodes, self.staleness = [], []
        return episode_metrics(finished_episodes) | (
            {"actors/staleness": float(np.mean(staleness))} if staleness else {}
        )

    def state_dict(self) -> dict:
        episodes = [list(episode) for episode in self.finished_episodes]
        return {"samples_seen": self.samples_seen, "finished_episodes": episodes}

    def load_state_dict(self, state: dict) -> None:
        check_kind(state, ActorsState)
        self.samples_seen = state["samples_seen"]
        self.finished_episodes = [tuple(episode) for episode in state["finished_episodes"]]

    def close(self) -> None:
        """End all actors; one that does not end in time is killed."""
        actors, self.actors, self.ready, self.last_actor = self.actors.values(), {}, [], None
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        try:
            for actor in actors:
                actor.pipe.close()
            for actor in actors:
                actor.process.join(max(0.0, deadline - time.monotonic()))
        finally:
            for actor in actors:
                actor.process.kill()
                actor.process.join()

    def _start_actors(self) -> None:
        self.state = list(self.learner[0].state_dict().values())
        shared = (self.state, trainable_parameters(self.learner[0]))
        context = multiprocessing.get_context("forkserver")
        for number in range(self.count):
            memory = context.RawArray("B", sum(map(aligned_size, shared)))
            parent_pipe, child_pipe = context.Pipe()
            seed = derive_seed(self.seed, "actor", number, self.samples_seen)
            process = context.Process(
                target=run_actor, args=(self.make, seed, self.precision, memory, child_pipe), name=f"actor {number}"
            )
            process.start()
            child_pipe.close()  # so that its end is the end of the pipe
            self.actors[parent_pipe] = Actor(process, parent_pipe, *tensors_in(memory, *shared))
            self._resume(self.actors[parent_pipe])

    def _resume(self, actor: Actor) -> None:
        """Give it the weights, and let it go on."""
        torch._foreach_copy_(actor.weights, self.state)
        self.weights_from[actor.pipe] = self.num_gradients
        try:
            actor.pipe.send(self.learner[0].log_gradients)
        except OSError:
            raise self._actor_lost(actor) from None

    def _actor_lost(self, actor: Actor) -> CaudexError:
        actor.process.join(1)
        code = actor.process.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended by itself with exit code {code}"
        return CaudexError(
            f"{actor.process.name} {how}; perhaps there is not enough memory for {self.count} of them, try fewer --actors. "
            "`caudex resume` goes on from a checkpoint, where there is one."
        )


def run_actor(make: Callable, seed: int, precision: str, memory, pipe: Connection) -> None:
    """The work of an actor, until the pipe is closed."""
    exit_with_parent()
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    try:
        learner, source = make(seed)
        with computing_in(learner, precision), flush_denormals():
            send_gradients(learner, source, memory, pipe, batch_dtype(precision))
        source.runner.env.close()
    except CaudexError as error:
        send(pipe, error)
    except Exception:  # of whatever kind: it is raised again in the process that waits for this one
        send(pipe, RuntimeError(f"in an actor: {traceback.format_exc()}"))


def send_gradients(learner: Learner, source: Source, memory, pipe: Connection, dtype: torch.dtype | None) -> None:
    """Until the pipe is closed: take the weights, draw a batch, send its gradient."""
    state, parameters = list(learner.state_dict().values()), trainable_parameters(learner)
    weights, gradients = tensors_in(memory, state, parameters)
    flops = 0.0
    while (log_gradients := receive(pipe)) is not None:
        learner.log_gradients = log_gradients
        torch._foreach_copy_(state, weights)
        source_flops = source.flops
        batch = to_device(next(source), torch.device("cpu"), dtype)
        with count_flops(learner) if log_gradients or not flops else nullcontext() as counter:
            outputs = learner.compute_gradients(dict.fromkeys(learner.signals, batch))
        flops = counter.flops if counter else flops  # every batch costs the same
        for gradient, parameter in zip(gradients, parameters):
            gradient.zero_() if parameter.grad is None else gradient.copy_(parameter.grad)
        finished_episodes = source.runner.finished_episodes.copy()
        source.runner.finished_episodes.clear()
        observations = batch.observations.numpy() if hasattr(learner.trunk, "update_statistics") else None
        cost, env_steps = flops + source.flops - source_flops, len(batch.observations)
        send(pipe, (plain_outputs(outputs, log_gradients), cost, env_steps, finished_episodes, observations))


def receive(pipe: Connection) -> bool | None:
    """Waits for the message to go on, which says whether to log gradients; None where the pipe is closed."""
    try:
        return pipe.recv()
    except (EOFError, OSError):
        return None


def send(pipe: Connection, message: object) -> None:
    with suppress(OSError):  # the other end is closed
        pipe.send(message)


@torch.no_grad()
def plain_outputs(outputs: dict[str, SignalOutput], log_gradients: bool) -> dict[str, SignalOutput]:
    """The same in floats, which can be sent; metrics that are functions only with `log_gradients`."""
    plain = {}
    for name, output in outputs.items():
        metrics = {key: value for key, value in output.metrics.items() if log_gradients or not callable(value)}
        metrics = {key: float(value() if callable(value) else value) for key, value in metrics.items()}
        plain[name] = SignalOutput(float(output.loss), metrics)
    return plain


def trainable_parameters(learner: Learner) -> list[Tensor]:
    return [parameter for parameter in learner.parameters() if parameter.requires_grad]


def aligned_size(tensors: Sequence[Tensor]) -> int:
    """Bytes that `tensors_in` needs; each tensor begins at a multiple of 64."""
    return sum(-(-tensor.nbytes // 64) * 64 for tensor in tensors)


def tensors_in(memory, *groups: Sequence[Tensor]) -> list[list[Tensor]]:
    """Tensors of the same types, shapes and strides, one behind the other in `memory`."""
    buffer, copies, offset = torch.frombuffer(memory, dtype=torch.uint8), [], 0
    for tensors in groups:
        copies.append([])
        for tensor in tensors:
            flat = buffer[offset : offset + tensor.nbytes].view(tensor.dtype)
            copies[-1].append(flat.as_strided(tensor.shape, tensor.stride()))
            offset += aligned_size([tensor])
    return copies


def start_forkserver(modules: Sequence[str]) -> None:
    """Start the process that actors are forked from, which imports for all of them while other work goes on here. It
    ignores Ctrl-C, as does what it forks."""
    resource_tracker.ensure_running()  # or it would be started by the next but one line, and let Ctrl-C through again
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))
    forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)
