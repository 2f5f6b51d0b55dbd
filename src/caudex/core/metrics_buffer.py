"""Metrics of a fit between the step that measured them and the row that is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NoReturn

import torch
from torch import Tensor

from caudex.core.collectives import num_processes, process_rank
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.signal import SignalOutput
from caudex.core.training_state import TrainingState

LOG_EVERY = 50  # steps from one row of metrics to the next


class MetricsBuffer:
    """Collects the outputs of each step, as tensors where they are, and writes their means as one row."""

    def __init__(self, learner: Learner, state: TrainingState, run: Run | None):
        self.learner, self.state, self.run = learner, state, run
        self.pending: dict[str, list[tuple[int, Tensor | float]]] = {}
        self.latest: dict[str, float] = {}
        self.source_figures: dict[str, float] = {}  # for `note`; a row without a figure leaves the one before
        self.evaluation = ""  # for `note`
        self._logger = None

    def add(self, outputs: Mapping[str, SignalOutput]) -> None:
        step = self.state.step
        for name, output in outputs.items():
            for metric, figure in {"loss": output.loss, **output.metrics}.items():
                if callable(figure):
                    if step % LOG_EVERY:
                        continue
                    with torch.no_grad():
                        figure = figure()
                figure = figure.detach() if isinstance(figure, Tensor) else float(figure)
                self.pending.setdefault(f"{name}/{metric}", []).append((step, figure))

    def gather(self) -> None:
        """Bring what is pending over from devices and processes; raises CaudexError where a loss is not finite."""
        for rows in self.pending.values():
            tensors = [figure for _, figure in rows if isinstance(figure, Tensor)]
            figures = iter(torch.stack(tensors).tolist() if tensors else [])
            rows[:] = [(step, next(figures) if isinstance(figure, Tensor) else figure) for step, figure in rows]
        self.pending = gather_metrics(self.pending)
        losses = ((name.removesuffix("/loss"), rows) for name, rows in self.pending.items() if name.endswith("/loss"))
        bad = [(step, name, loss) for name, rows in losses for step, loss in rows if not math.isfinite(loss)]
        if bad:  # the first drags the others along
            step, name, loss = min(bad, key=lambda row: row[0])
            what = f"the loss of signal '{name}' became {'NaN' if math.isnan(loss) else 'infinite'}"
            raise_diverged(what, step, self.learner, self.run)
        if process_rank() > 0:
            self.pending = {}  # the main process has them

    def flush(self) -> None:
        """One row of metrics: means since the last one."""
        self.gather()
        if not self.pending:
            return
        self.latest = {name: sum(figure for _, figure in rows) / len(rows) for name, rows in self.pending.items()}
        self.pending = {}
        source_metrics = {k: v for source in self.state.sources for k, v in source.metrics().items()}
        self.source_figures |= {name.rpartition("/")[2]: figure for name, figure in source_metrics.items()}
        self.latest |= source_metrics
        counts = {"samples": self.state.samples_seen, "flops": self.state.flops}
        self._write(self.latest | {"progress": self.learner.progress} | counts)
        if self.run:
            step, seconds = self.state.step, self.state.seconds
            self.run.log_timing(step, {"seconds": round(seconds, 3), "steps_per_second": round(step / seconds, 3)})

    def evaluate(self, evaluate: Callable[[Learner], dict[str, float]]) -> None:
        """Write what `evaluate` returns for the learner in eval mode."""
        self.learner.eval()
        with torch.no_grad():
            figures = evaluate(self.learner)
        self.learner.train()
        if figures:
            name, figure = next(iter(figures.items()))
            self.evaluation = f"evaluated {name} {format_figure(figure)}"
            self._write({f"evaluation/{name}": figure for name, figure in figures.items()})

    def note(self) -> str:
        """What matters, for a person, the most important first: figures of the sources, how much was seen and how fast, the last
        evaluation, accuracies, losses."""
        parts = [f"{name} {format_figure(figure)}" for name, figure in self.source_figures.items()]
        units = {source.sample_unit for source in self.state.sources if source.sample_unit}
        if len(units) == 1:
            parts += [f"{self.state.samples_seen:,} {units.pop()}", f"{self.state.samples_per_second:,.0f}/s"]
        else:
            parts.append(f"step {self.state.step:,}")
        parts += [self.evaluation] if self.evaluation else []
        for metric in ("accuracy", "loss"):
            figures = {name: value for name, value in self.latest.items() if name.endswith(f"/{metric}")}
            figures = [f"{name.removesuffix('/' + metric)} {value:.3f}" for name, value in figures.items()]
            parts += [f"{metric} {', '.join(figures)}"] if figures else []
        return ", ".join(parts)

    def _write(self, row: dict) -> None:
        if not self.run:
            return
        self.run.log(self.state.step, row)
        if self.run.is_main_process and self.run.hardware.log != "none":
            if self._logger is None:
                from caudex.core.loggers import open_logger  # slow to import

                self._logger = open_logger(self.run, self.state.step)
            with suppress(Exception):  # a full disk or a server that is away stops checkpoints, not their plots
                self._logger.log_metrics(row, self.state.step)

    def close(self) -> None:
        if self._logger:
            self._logger.finalize("success")


def format_figure(figure: float) -> str:
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.4g}"


def gather_metrics(rows: dict[str, list]) -> dict[str, list]:
    """The rows of all processes, in one order."""
    if num_processes() == 1:
        return rows
    parts: list[Any] = [None] * num_processes()
    torch.distributed.all_gather_object(parts, rows)
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: sorted(row for part in parts for row in part.get(name, [])) for name in names}


def raise_diverged(what: str, step: int, learner: Learner, run: Run | None) -> NoReturn:
    lr = max(learner.base_lrs)
    saved = run.checkpoints[-1] if run and run.checkpoints else None
    good = f"The last good checkpoint is {saved}" if saved else "There is no checkpoint before it"
    raise CaudexError(f"{what} at step {step:,}. {good}; try --lr {lr / 10:g} (was {lr:g}).")
