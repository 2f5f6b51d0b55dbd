"""fit(): the only training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import torch
from torch import Tensor

from caudex.core.budget import Budget
from caudex.core.compute import count_flops
from caudex.core.console import defer_interrupts
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware, launch_fabric
from caudex.core.learner import Learner
from caudex.core.progress import ProgressBar
from caudex.core.run import Run
from caudex.core.seeds import derive_seed

LOG_EVERY = 50  # steps from one row of metrics to the next
AGREE_EVERY = 10  # steps from one look at the first process's clock to the next, where there are several processes
EVALUATIONS = 10  # in one training; of a short one also rows of metrics, or its curve would be one dot


def fit(
    learner: Learner,
    sources: Mapping,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    flops: float | None = None,
    samples: int | None = None,
    run: Run | None = None,
    evaluate: Callable[[Learner], dict[str, float]] | None = None,
    at: Sequence[float] = (),
    step: Callable[[Learner, Mapping], dict] = Learner.step,
) -> Learner:
    """Train `learner` on `sources` (signal name to source) until the budget is used or a source ends.

    With a run folder, metrics and checkpoints go there, a killed run goes on where its last checkpoint was, and a
    finished one loads. Everything random within a step follows from the run's seed and the step's number.
    The `metrics()` of a source are written with those of the signals; operations that it took to act (`flops`) count with
    those of the steps; a source that cannot resume exactly says why (`inexact_reason`).
    `evaluate` sees the learner in eval mode, without gradients, ten times, or once these shares of the budget are used
    (`at`); `step` replaces the gradient step (TRPO).
    Raises CaudexError for a signal without a source, and when a loss stops being a finite number.
    """
    budget = Budget(steps, minutes, flops, samples)
    at = at or [number / EVALUATIONS for number in range(1, EVALUATIONS + 1)]
    for name in learner.signals.keys() - sources.keys():
        raise CaudexError(f"signal '{name}' has no source; give fit one for each signal.")
    state = _State(learner, sources, run)
    hardware = run.hardware if run else Hardware()
    fabric = launch_fabric(hardware)
    if run and run.read_json("finished") and run.checkpoints:
        state.load()
        run.add_cost(state.flops, state.seconds)
        return learner.to(fabric.device).eval()
    with (
        _attached(learner, fabric, hardware),
        torch.random.fork_rng(devices=_cuda(fabric.device)),
        defer_interrupts() as interrupted,
        ProgressBar(
            (run and run.name) or "training", silent=run is None or run.main.quiet or not run.is_main_process
        ) as progress,
    ):
        state.load()
        progress.resume_from(budget.used(*state.spent))
        if run:
            run.truncate_metrics(state.logged)
            run.write_json("about", _about(learner, state.sources, budget, fabric.device))
        learner.train()
        started, saved = time.perf_counter() - state.seconds, state.seconds
        while (used := budget.used(*state.spent)) < 1:
            learner.progress = used
            _seed(derive_seed(run.seed if run else 0, "step", state.step, fabric.global_rank), fabric.device)
            try:
                batches = _next(sources, fabric.device)
            except StopIteration:
                break
            measures = state.step % LOG_EVERY == 0  # operations and gradients: now and then, not in every step
            learner.log_gradients = measures
            with count_flops(learner) if measures else nullcontext() as counter:
                taught = step(learner, batches)
            _hand_back(taught, sources)
            state.add(taught, counter.flops * fabric.world_size if measures else None)
            if measures and taught and budget.flops and not counter.flops:
                raise CaudexError(
                    "a budget in FLOPs never ends: no operation of this learner is counted; give --steps."
                )
            asked = 0.0
            if fabric.world_size == 1 or state.step % AGREE_EVERY == 0 or state.step < LOG_EVERY:
                state.seconds, asked = broadcast_first(fabric, time.perf_counter() - started, len(interrupted))
            reached = budget.used(*state.spent)
            looked = any(used < share <= reached for share in at)
            if state.step % LOG_EVERY == 0 or (looked and state.step < LOG_EVERY):
                state.flush()
            if looked and evaluate:
                learner.progress = reached
                state.judge(evaluate)
            due = state.seconds - saved > (hardware.save_seconds if run else math.inf)
            if (due or asked) and all(getattr(source, "can_checkpoint", True) for source in sources.values()):
                state.save()
                saved = state.seconds
                if asked:
                    raise KeyboardInterrupt
            progress.update(reached, state.said)
        state.seconds = time.perf_counter() - started
        state.flush()
        if run:
            # some know their trivial loss only now
            run.write_json("about", _about(learner, state.sources, budget, fabric.device))
        state.finish()
        fabric.barrier()  # what the first process wrote can be read by the others
    return learner.eval()


class _State:
    """What of a training must survive a kill: step, account, unwritten metrics; and the learner and its sources."""

    def __init__(self, learner: Learner, sources: Mapping, run: Run | None):
        self.learner, self.run = learner, run
        self.sources = list({id(source): source for source in sources.values()}.values())
        self.step, self.stepped, self.rate, self.seconds = 0, 0.0, 0.0, 0.0
        self.pending: dict[str, list[tuple[int, Tensor | float]]] = {}
        self.latest: dict[str, float] = {}
        self.saved, self.logged = 0, {}  # of the last checkpoint: its step, and the metrics written until then
        self._board = None

    @property
    def spent(self) -> tuple[int, float, float, int]:
        """What a budget counts: steps, seconds, FLOPs, samples."""
        return self.step, self.seconds, self.flops, self.samples_seen

    @property
    def samples_seen(self) -> int:
        return sum(getattr(source, "samples_seen", 0) for source in self.sources)

    @property
    def flops(self) -> float:
        """Of all steps, and of what sources computed to act."""
        return self.stepped + sum(getattr(source, "flops", 0.0) for source in self.sources)

    def add(self, taught: Mapping, counted: float | None) -> None:
        self.step += 1
        self.rate = self.rate if counted is None else counted
        self.stepped += self.rate
        for name, said in taught.items():
            for what, value in {"loss": said.loss, **said.metrics}.items():
                if callable(value):
                    if self.step % LOG_EVERY:
                        continue
                    with torch.no_grad():
                        value = value()
                value = value.detach() if isinstance(value, Tensor) else float(value)
                self.pending.setdefault(f"{name}/{what}", []).append((self.step, value))

    def _settle(self) -> None:
        """Bring the unwritten metrics over from devices and processes; all losses must be finite."""
        for rows in self.pending.values():
            tensors = [value for _, value in rows if isinstance(value, Tensor)]
            values = iter(torch.stack(tensors).tolist() if tensors else [])
            rows[:] = [(step, next(values) if isinstance(value, Tensor) else value) for step, value in rows]
        self.pending = gather_metrics(self.pending)
        losses = ((name.removesuffix("/loss"), rows) for name, rows in self.pending.items() if name.endswith("/loss"))
        bad = [(step, name, value) for name, rows in losses for step, value in rows if not math.isfinite(value)]
        if bad:  # the first drags the others along
            step, name, value = min(bad, key=lambda each: each[0])
            self._complain(f"the loss of signal '{name}' became {'NaN' if math.isnan(value) else 'infinite'}", step)
        if torch.distributed.is_initialized() and torch.distributed.get_rank() > 0:
            self.pending = {}  # the first process has them

    def _complain(self, what: str, step: int) -> None:
        rate = max(self.learner.base_lrs)
        saved = self.run.checkpoints[-1] if self.run and self.run.checkpoints else None
        good = f"The last good checkpoint is {saved}" if saved else "There is no checkpoint before it"
        raise CaudexError(f"{what} at step {step:,}. {good}; try --lr {rate / 10:g} (was {rate:g}).")

    def flush(self) -> None:
        """One row of metrics: means since the last one."""
        self._settle()
        if not self.pending:
            return
        self.latest = {name: sum(value for _, value in rows) / len(rows) for name, rows in self.pending.items()}
        self.pending = {}
        for source in self.sources:
            self.latest |= getattr(source, "metrics", dict)()
        counts = {"samples": self.samples_seen, "flops": self.flops}
        self._write(self.latest | {"progress": self.learner.progress} | counts)
        if self.run:
            self.run.log_timing(
                self.step, {"seconds": round(self.seconds, 3), "steps_per_second": round(self.step / self.seconds, 3)}
            )

    def said(self) -> str:
        """The step and the latest losses, for a person."""
        losses = {name.removesuffix("/loss"): value for name, value in self.latest.items() if name.endswith("/loss")}
        loss = f", loss {', '.join(f'{name} {value:.3f}' for name, value in losses.items())}" if losses else ""
        return f"step {self.step:,}{loss}"

    def judge(self, evaluate: Callable) -> None:
        self.learner.eval()
        with torch.no_grad():
            figures = evaluate(self.learner)
        self.learner.train()
        if figures:
            self._write({f"evaluation/{name}": value for name, value in figures.items()})

    def _write(self, row: dict) -> None:
        if not self.run:
            return
        self.run.log(self.step, row)
        if self.run.is_main_process:
            if self._board is None:
                self._board = self.run.tensorboard(self.step)
            with suppress(OSError):  # a disk that is full stops checkpoints, not the images of them
                for name, value in row.items():
                    self._board.add_scalar(name, value, self.step)

    def save(self) -> None:
        self._settle()
        if not all(weight.isfinite().all() for weight in self.learner.parameters()):
            self._complain("the weights are no longer finite numbers", self.step)
        if not self.run or self.step == self.saved:
            return
        self.saved = self.step
        state = {
            "flops": self.stepped,
            "rate": self.rate,
            "seconds": self.seconds,
            "progress": self.learner.progress,
            "pending": self.pending,
            "logged": self.run.metrics_sizes(),
            "optimizer": self.learner.optimizer.state_dict(),
            "sources": [source.state_dict() for source in self.sources if hasattr(source, "state_dict")],
        }
        self.run.save_checkpoint(self.step, distinct(self.learner.state_dict()), state)

    def load(self) -> None:
        found = self.run.load_checkpoint() if self.run else None
        if found is None:
            return
        self.step, weights, state = found
        self.saved = self.step
        restore(self.learner, weights)
        _restore_optimizer(self.learner.optimizer, state["optimizer"])
        for source, saved in zip((s for s in self.sources if hasattr(s, "state_dict")), state["sources"]):
            source.load_state_dict(saved)
        self.stepped, self.rate, self.seconds = state["flops"], state["rate"], state["seconds"]
        self.learner.progress, self.logged = state["progress"], state["logged"]
        if self.run.is_main_process:
            self.pending = {name: [tuple(row) for row in rows] for name, rows in state["pending"].items()}

    def finish(self) -> None:
        if self._board:
            self._board.close()
        self.save()
        if self.run:
            self.run.add_cost(self.flops, self.seconds)
            self.run.write_json("finished", {"step": self.step, "flops": self.flops, "seconds": round(self.seconds, 3)})


def distinct(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without the second names of tensors that stand in it twice."""
    seen, kept = set(), {}
    for name, tensor in state.items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride())
        if tensor.numel() == 0 or place not in seen:
            kept[name] = tensor
        seen.add(place)
    return kept


@torch.no_grad()
def restore(module: torch.nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put `distinct` weights back in place; raises CaudexError where they belong to another network."""
    for name, tensor in distinct(module.state_dict()).items():
        if name not in weights or weights[name].shape != tensor.shape:
            has = f"shape {tuple(weights[name].shape)}" if name in weights else "nothing"
            raise CaudexError(
                f"the saved weights have {has} for {name}, this network {tuple(tensor.shape)}; they were trained with other settings."
            )
        tensor.copy_(weights[name])


def _restore_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    """With its tensors laid out in memory like the weights, or each step would take torch's slow path."""
    optimizer.load_state_dict(state)
    for weight, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == weight.shape:
                values[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def gather_metrics(rows: dict[str, list]) -> dict[str, list]:
    """The rows of all processes, in one order."""
    if not torch.distributed.is_initialized():
        return rows
    parts: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(parts, rows)
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: sorted(row for part in parts for row in part.get(name, [])) for name in names}


def broadcast_first(fabric, *figures: float) -> list[float]:
    """What the first process says: clocks differ, and all must stop at the same step."""
    if fabric.world_size == 1:
        return list(figures)
    said = torch.tensor(figures, dtype=torch.float64, device=fabric.device)
    torch.distributed.broadcast(said, 0)
    return said.tolist()


@contextmanager
def _attached(learner: Learner, fabric, hardware: Hardware) -> Iterator[None]:
    """The learner's passes run on Fabric's devices and in its processes.

    One process in full precision needs no wrapping, which searches every batch for tensors to convert.
    """
    if fabric.world_size == 1 and (hardware.strategy, hardware.precision) == ("auto", "32-true"):
        learner.to(fabric.device)
    else:
        learner.attach(fabric.setup(learner), fabric.backward)
    try:
        yield
    finally:
        learner.attach(None, Tensor.backward)


def _next(sources: Mapping, device: torch.device) -> dict:
    """One batch of each distinct source: two signals on the same source see the same batch."""
    drawn: dict[int, object] = {}
    for source in sources.values():
        if id(source) not in drawn:
            drawn[id(source)] = _to(next(source), device)
    return {name: drawn[id(source)] for name, source in sources.items()}


def _to(value, device: torch.device):
    if device.type == "cpu":
        return value
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {name: _to(part, device) for name, part in value.items()}
    if isinstance(value, tuple):
        parts = [_to(part, device) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def _hand_back(taught: Mapping, sources: Mapping) -> None:
    for name, said in taught.items():
        if said.examples is not None and hasattr(sources[name], "update_priorities"):
            sources[name].update_priorities(said.examples.detach())


def _about(learner: Learner, sources: list, budget: Budget, device: torch.device) -> dict:
    why = {"the budget is in minutes": budget.minutes, "a graphics card adds up in any order": device.type != "cpu"}
    why |= {source.inexact_reason: True for source in sources if hasattr(source, "inexact_reason")}
    inexact = [reason for reason, holds in why.items() if holds]
    return {
        "parameters": {
            name: sum(p.numel() for p in part.parameters())
            for name, part in {"trunk": learner.trunk, **learner.signals}.items()
        },
        "chance_loss": {name: signal.chance_loss() for name, signal in learner.signals.items()},
        "weights": {name: signal.weight for name, signal in learner.signals.items()},
        "budget": vars(budget),
        "resumes": f"to a result of the same kind, not bit for bit: {inexact[0]}" if inexact else "bit for bit",
    }


def _seed(seed: int, device: torch.device) -> None:
    """Of `device` alone: `torch.manual_seed` also queues the seed for every kind of device that is not there."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def _cuda(device: torch.device) -> list[torch.device]:
    return [device] if device.type == "cuda" else []
