"""What a claim is: a sentence, its figure, and the baselines measured in the same run."""

from __future__ import annotations

import math
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from scipy import stats

from caudex.errors import CaudexError
from caudex.hardware import Hardware
from caudex.names import nearest
from caudex.run import Run
from caudex.system import System, name_of, opened, start


@dataclass(frozen=True)
class Claim:
    """One seed's evidence. `against` are the baselines; the first is the one that must be beaten."""

    statement: str
    figure: float
    against: dict[str, float]
    further: dict[str, float] = field(default_factory=dict)
    """figures that are reported, but that the claim does not stand on"""


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and its 95% interval by Student's t; an infinite one from a single value."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return mean, -math.inf, math.inf
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return mean, mean - half, mean + half


def gather(claims: Sequence[Claim]) -> dict:
    """Over seeds: means with intervals, gains paired by seed. Shown when the gain's interval lies above zero.

    The interval of a single seed is None.
    """

    def over_seeds(values: Sequence[float], figure: str = "figure", interval: str = "interval") -> dict:
        mean, *bounds = mean_interval(values)
        return {figure: mean, interval: bounds if len(values) > 1 else None}

    figures, baselines = [claim.figure for claim in claims], {}
    for name in claims[0].against:
        theirs = [claim.against[name] for claim in claims]
        gains = [own - other for own, other in zip(figures, theirs)]
        baselines[name] = over_seeds(theirs) | over_seeds(gains, "gain", "gain_interval")
    interval = next(iter(baselines.values()))["gain_interval"]
    return {
        "statement": claims[0].statement,
        **over_seeds(figures),
        "shown": bool(interval and interval[0] > 0),
        "baselines": baselines,
        "further": {name: over_seeds([claim.further[name] for claim in claims]) for name in claims[0].further},
    }


@dataclass(frozen=True)
class Plan:
    """What `caudex claim` was asked for: seeds, and a setting to be tried `over` several values."""

    scale: str = "laptop"
    seeds: int = 5
    first_seed: int = 0
    over: str | None = None
    workers: int = 1
    command: str = ""

    def values(self, system: System) -> tuple[str, list]:
        """The setting's name and values; one value, None, where nothing is varied."""
        if not self.over:
            return "", [None]
        flag, _, words = self.over.partition("=")
        name = flag.replace("-", "_")
        kinds = {f.name: re.findall(r"\b(?:int|float)\b", str(f.type)) for f in fields(system) if f.name != "seed"}
        known = [known for known, kind in kinds.items() if kind]
        if name not in known or not words:
            raise CaudexError(
                f"--over {self.over}: say NAME=V1,V2,... with a setting of {name_of(system)} that is a number."
                f"{nearest(name, known).replace('_', '-')}"
            )
        kind = float if "float" in kinds[name] else int
        try:
            values = [kind(word) for word in words.split(",")]
        except ValueError:
            raise CaudexError(
                f"--over {self.over}: values must be {'' if kind is float else 'whole '}numbers, as in {flag}=1,2,4."
            ) from None
        if len({f"{value:g}" for value in values}) < len(values):
            raise CaudexError(f"--over {self.over}: two values are the same; name each once.")
        return name, values

    def check(self, system: System) -> None:
        if self.seeds < 1 or self.workers < 1 or self.first_seed < 0:
            raise CaudexError(
                f"--seeds {self.seeds} --workers {self.workers} --first-seed {self.first_seed}: at least 1, 1 and 0."
            )
        name, values = self.values(system)
        for value in values:
            if name:
                replace(system, **{name: value}).check()


def measure(system: System, run: Run, plan: Plan) -> dict:
    """Every seed and value, those already measured read back; writes claim.json and returns it."""
    if run.kept("plan") and opened(run.path)[0] != system:
        raise CaudexError(
            f"{run.path} is a claim with other settings; choose another --run, or `caudex resume {run.path}`."
        )
    start(system, run)
    run.keep("plan", asdict(plan))
    name, values = plan.values(system)
    units = [(value, seed) for seed in range(plan.first_seed, plan.first_seed + plan.seeds) for value in values]
    jobs = []
    for value, seed in units:
        stage = run.path / "stages" / ("" if value is None else f"{name}={value:g}") / f"seed-{seed}"
        jobs.append((replace(system, seed=seed, **({name: value} if name else {})), stage, run.hardware))
    results = _carry_out(jobs, plan.workers)
    found = []
    for value in values:
        claims = [Claim(**results[i]["claim"]) for i, unit in enumerate(units) if unit[0] == value]
        found.append(({} if value is None else {"value": value}) | gather(claims))
    whole = found[0]
    if name:
        shown = all(part["shown"] for part in found)
        whole = {"statement": whole["statement"], "shown": shown, "over": name, "values": found}
    claim = {
        "system": name_of(system),
        **whole,
        "scale": plan.scale,
        "seeds": list(range(plan.first_seed, plan.first_seed + plan.seeds)),
        "command": plan.command,
        "seconds": round(sum(result["seconds"] for result in results), 1),
    }
    run.keep("claim", claim)
    return claim


def _carry_out(jobs: list[tuple[System, Path, Hardware]], workers: int) -> list[dict]:
    from rich.console import Console
    from rich.progress import track

    results = [Run(path).kept("claim") for _, path, _ in jobs]
    waiting = [job for job, result in zip(jobs, results) if result is None]
    if not waiting:
        return results
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin) as pool:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until a worker can act on it
        futures = [pool.submit(_work, *job, workers) for job in waiting]
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        shown = Console(stderr=True)
        try:
            done = track(as_completed(futures), "measuring", len(futures), console=shown, disable=not shown.is_terminal)
            for number, future in enumerate(done, 1):
                future.result()
                if not shown.is_terminal:
                    print(f"measured {number} of {len(futures)}", file=sys.stderr)
        except BrokenProcessPool:
            raise CaudexError(
                "a process that measured a seed was killed, perhaps for want of memory; try fewer --workers."
            ) from None
        except BaseException:
            for worker in multiprocessing.active_children():
                os.kill(worker.pid, signal.SIGINT)  # it saves, and goes
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    measured = iter(futures)
    return [next(measured).result() if result is None else result for result in results]


_busy, _stopped = threading.Event(), threading.Event()  # of a worker


def _begin() -> None:
    """A worker hears of Ctrl-C from its parent alone, and it does not outlive it, or a claim that was killed and is
    resumed would be measured twice at once."""
    os.setpgrp()
    signal.signal(signal.SIGINT, _stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = multiprocessing.parent_process()
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _stop(number, frame) -> None:
    _stopped.set()
    if _busy.is_set():
        raise KeyboardInterrupt


def _work(*job) -> dict | None:
    """Ends as usual when it is interrupted: if it just went, its executor would kill the other workers."""
    _busy.set()
    try:
        return None if _stopped.is_set() else one(*job)
    except KeyboardInterrupt:  # from `fit`, once it has saved
        return _stopped.set()
    finally:
        _busy.clear()


def one(system: System, path: Path, hardware: Hardware, workers: int) -> dict:
    """One seed's claim with the seconds it took, measured or read back."""
    import torch

    run = Run(path, system.seed, hardware)
    run.quiet = True
    if found := run.kept("claim"):
        return found
    torch.set_num_threads(hardware.threads or max(1, torch.get_num_threads() // workers))
    started = time.perf_counter()
    start(system, run)
    claim = system.claim(run)
    run.keep("compute", run.compute.report())
    found = {"claim": asdict(claim), "seconds": round(time.perf_counter() - started, 1)}
    run.keep("claim", found)
    return found
