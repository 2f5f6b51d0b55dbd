"""What a claim is: a sentence, its figure, and the baselines measured in the same run."""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
from scipy import stats

from caudex.errors import CaudexError
from caudex.names import nearest
from caudex.run import Hardware, Run
from caudex.system import System, name_of, start


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
    """Over seeds: means with intervals, gains paired by seed. Shown when the gain's interval lies above zero."""
    mean, low, high = mean_interval([claim.figure for claim in claims])
    baselines = {}
    for name in claims[0].against:
        own = mean_interval([claim.against[name] for claim in claims])
        gain = mean_interval([claim.figure - claim.against[name] for claim in claims])
        baselines[name] = {"figure": own[0], "interval": own[1:], "gain": gain[0], "gain_interval": gain[1:]}
    further = {name: mean_interval([claim.further[name] for claim in claims]) for name in claims[0].further}
    first = next(iter(baselines.values()))
    return {
        "statement": claims[0].statement,
        "figure": mean,
        "interval": [low, high],
        "shown": bool(first["gain_interval"][0] > 0),
        "baselines": baselines,
        "further": {name: {"figure": value[0], "interval": value[1:]} for name, value in further.items()},
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
        known = {f.name for f in fields(system)}
        if name not in known or not words:
            raise CaudexError(
                f"--over {self.over}: say NAME=V1,V2,... with a setting of {name_of(system)}.{nearest(name, known)}"
            )
        try:
            return name, [int(word) if word.lstrip("-").isdigit() else float(word) for word in words.split(",")]
        except ValueError:
            raise CaudexError(f"--over {self.over}: values must be numbers, as in {flag}=1,2,4.") from None

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
    start(system, run)
    run.keep("plan", asdict(plan))
    name, values = plan.values(system)
    units = [(value, seed) for value in values for seed in range(plan.first_seed, plan.first_seed + plan.seeds)]
    jobs = []
    for value, seed in units:
        stage = run.path / "stages" / ("" if value is None else f"{name}={value:g}") / f"seed-{seed}"
        jobs.append((replace(system, seed=seed, **({name: value} if name else {})), stage, run.hardware))
    results = _carry_out(jobs, plan.workers)
    found = []
    for value in values:
        claims = [Claim(**results[i]["claim"]) for i, unit in enumerate(units) if unit[0] == value]
        found.append(({} if value is None else {"value": value}) | gather(claims))
    whole = (
        found[0]
        if not name
        else {
            "statement": found[0]["statement"],
            "shown": all(part["shown"] for part in found),
            "over": name,
            "values": found,
        }
    )
    figures = {key: whole.get(key) for key in ("statement", "figure", "interval", "baselines", "further", "shown")}
    claim = {
        "system": name_of(system),
        **{key: value for key, value in figures.items() if value is not None},
        **{key: whole[key] for key in ("over", "values") if key in whole},
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

    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(one, *job, workers) for job in jobs]
        try:
            for future in track(
                as_completed(futures), "measuring", len(futures), console=Console(stderr=True), disable=None
            ):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]


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
