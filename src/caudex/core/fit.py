"""fit(): the only training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext

import torch

from caudex.core.budget import Budget
from caudex.core.checkpointer import Checkpointer
from caudex.core.compute import count_flops
from caudex.core.console import defer_interrupts
from caudex.core.errors import CaudexError
from caudex.core.evaluation import Evaluation
from caudex.core.hardware import Hardware, launch_fabric
from caudex.core.learner import Learner
from caudex.core.metrics_buffer import LOG_EVERY, MetricsBuffer
from caudex.core.placement import (
    attached,
    broadcast_first,
    cuda_devices,
    flush_denormals,
    next_batches,
    seed_device,
)
from caudex.core.precision import batch_dtype
from caudex.core.progress import ProgressBar
from caudex.core.run import Run
from caudex.core.run_records import Finished
from caudex.core.seeds import derive_seed
from caudex.core.source import Source, as_source
from caudex.core.training_state import TrainingState

AGREE_EVERY = 10  # steps from one look at the main process's clock to the next, where there are several processes


def fit(
    learner: Learner,
    sources: Mapping[str, Source],
    *,
    steps: int | None = None,
    minutes: float | None = None,
    flops: float | None = None,
    samples: int | None = None,
    run: Run | None = None,
    evaluate: Callable[[Learner], dict[str, float]] | Sequence[Evaluation] | None = None,
    step: Callable[[Learner, Mapping], dict] = Learner.step,
) -> Learner:
    """Train `learner` on `sources` (signal name to source) until the budget is used or a source ends.

    With a run folder, metrics and checkpoints go there, a killed run goes on where its last checkpoint was, and a
    finished one loads. Everything random within a step follows from the run's seed and the step's number.
    The `metrics()` of a source are written with those of the signals; operations that it took to act (`flops`) count with
    those of the steps; a source that cannot resume exactly says why (`inexact_reason`).
    `evaluate` sees the learner in eval mode, without gradients, ten times; as a list of `Evaluation`, whenever each of them says.
    `step` replaces the gradient step (TRPO).
    Raises CaudexError for a signal without a source, and when a loss stops being a finite number.
    """
    budget = Budget(steps, minutes, flops, samples)
    evaluations = [Evaluation(evaluate)] if callable(evaluate) else list(evaluate or ())
    by_share = next((part for part in evaluations if not part.every), Evaluation(lambda learner: {}))
    sources = check_sources(learner, sources)
    hardware = run.hardware if run else Hardware()
    fabric = launch_fabric(hardware)
    state = TrainingState(list(dict.fromkeys(sources.values())))
    metrics = MetricsBuffer(learner, state, run)
    checkpointer = Checkpointer(learner, state, metrics, run)
    if run and run.read_struct("finished", Finished) and run.checkpoints:
        checkpointer.load()
        run.add_cost(state.flops, state.seconds)
        return learner.to(fabric.device).eval()
    silent = run is None or run.main.quiet or not run.is_main_process
    with (
        attached(learner, fabric, hardware),
        flush_denormals(),
        torch.random.fork_rng(devices=cuda_devices(fabric.device)),
        defer_interrupts() as interrupts,
        ProgressBar((run and run.name) or "training", silent=silent) as bar,
    ):
        checkpointer.load()
        bar.resume_from(budget.used(*state.used))
        if run:
            run.truncate_metrics(checkpointer.metrics_sizes)
            run.write_json("about", describe_training(learner, state, budget, fabric.device))
        learner.train()
        started = time.perf_counter() - state.seconds
        while (used := budget.used(*state.used)) < 1:
            before = used, state.samples_seen
            learner.progress = used
            seed_device(derive_seed(run.seed if run else 0, "step", state.step, fabric.global_rank), fabric.device)
            try:
                batches = next_batches(sources, fabric.device, batch_dtype(hardware.precision))
            except StopIteration:
                break
            measures = state.step % LOG_EVERY == 0  # FLOPs and gradients: now and then, not in every step
            learner.log_gradients = measures
            with count_flops(learner) if measures else nullcontext() as counter:
                outputs = step(learner, batches)
            update_priorities(sources, outputs)
            state.count_step(counter.flops * fabric.world_size if measures else None)
            metrics.add(outputs)
            if measures and outputs and budget.flops and not counter.flops:
                raise CaudexError(
                    "a budget in FLOPs never ends: no operation of this learner is counted; give --steps."
                )
            interrupted = 0.0
            if fabric.world_size == 1 or state.step % AGREE_EVERY == 0 or state.step < LOG_EVERY:
                state.seconds, interrupted = broadcast_first(fabric, time.perf_counter() - started, len(interrupts))
            reached = budget.used(*state.used)
            now = reached, state.samples_seen
            # of a short training also rows of metrics, or its curve would be one dot
            if state.step % LOG_EVERY == 0 or (state.step < LOG_EVERY and by_share.is_due(before, now)):
                metrics.flush()
            for part in evaluations:
                if part.is_due(before, now):
                    learner.progress = learner.progress if part.every else reached  # rows have it, too
                    metrics.evaluate(part.function)
            if (checkpointer.is_due or interrupted) and state.can_checkpoint:
                checkpointer.save()
                if interrupted:
                    raise KeyboardInterrupt
            bar.update(reached, metrics.note)
        state.seconds = time.perf_counter() - started
        metrics.flush()
        metrics.close()
        if run:  # some signals know their chance loss only now
            run.write_json("about", describe_training(learner, state, budget, fabric.device))
        checkpointer.save()
        if run:
            run.add_cost(state.flops, state.seconds)
            finished = {"step": state.step, "flops": state.flops, "seconds": round(state.seconds, 3)}
            run.write_json("finished", finished)
        fabric.barrier()  # what the main process wrote can be read by the others
    return learner.eval()


def check_sources(learner: Learner, sources: Mapping) -> dict[str, Source]:
    """Each signal's source; one that is no `Source` is wrapped once, however many signals it feeds."""
    for name in learner.signals.keys() - sources.keys():
        raise CaudexError(f"signal '{name}' has no source; give fit one for each signal.")
    wrapped = {id(source): as_source(source) for source in sources.values()}
    return {name: wrapped[id(source)] for name, source in sources.items()}


def update_priorities(sources: Mapping[str, Source], outputs: Mapping) -> None:
    for name, output in outputs.items():
        if output.examples is not None:
            sources[name].update_priorities(output.examples.detach())


def describe_training(learner: Learner, state: TrainingState, budget: Budget, device: torch.device) -> dict:
    """about.json: sizes, chance losses, weights, budget, and whether it resumes bit for bit."""
    reasons = ["the budget is in minutes"] if budget.minutes else []
    reasons += ["a graphics card adds up in any order"] if device.type != "cpu" else []
    reasons += [source.inexact_reason for source in state.sources if source.inexact_reason]
    parts = {"trunk": learner.trunk, **learner.signals}
    return {
        "parameters": {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()},
        "chance_loss": {name: signal.chance_loss() for name, signal in learner.signals.items()},
        "weights": {name: signal.weight for name, signal in learner.signals.items()},
        "budget": vars(budget),
        "resumes": f"to a result of the same kind, not bit for bit: {reasons[0]}" if reasons else "bit for bit",
    }
