"""What a claim is: a sentence, its figure, and the baselines measured in the same run."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.pool import run_parallel
from caudex.core.registry import did_you_mean
from caudex.core.run import Run
from caudex.core.system import System, name_of, open_run, start
from caudex.evaluation.intervals import mean_interval


@dataclass(frozen=True)
class Claim:
    """One seed's evidence. `against` are the baselines; the first is the one that must be beaten."""

    statement: str
    figure: float
    against: dict[str, float]
    further: dict[str, float] = field(default_factory=dict)
    """figures that are reported, but that the claim does not stand on"""


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
                f"{did_you_mean(name, known).replace('_', '-')}"
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
    if run.read_json("plan") and open_run(run.path)[0] != system:
        raise CaudexError(
            f"{run.path} is a claim with other settings; choose another --run, or `caudex resume {run.path}`."
        )
    start(system, run)
    run.write_json("plan", asdict(plan))
    name, values = plan.values(system)
    units = [(value, seed) for seed in range(plan.first_seed, plan.first_seed + plan.seeds) for value in values]
    jobs = []
    for value, seed in units:
        stage = run.path / "stages" / ("" if value is None else f"{name}={value:g}") / f"seed-{seed}"
        jobs.append((replace(system, seed=seed, **({name: value} if name else {})), stage, run.hardware))
    results = [Run(path).read_json("claim") for _, path, _ in jobs]
    waiting = [(*job, plan.workers) for job, result in zip(jobs, results) if result is None]
    measured = iter(run_parallel(one, waiting, plan.workers))
    results = [next(measured) if result is None else result for result in results]
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
        "number_format": system.number_format,
        "scale": plan.scale,
        "seeds": list(range(plan.first_seed, plan.first_seed + plan.seeds)),
        "command": plan.command,
        "seconds": round(sum(result["seconds"] for result in results), 1),
    }
    run.write_json("claim", claim)
    return claim


def one(system: System, path: Path, hardware: Hardware, workers: int) -> dict:
    """One seed's claim with the seconds it took, measured or read back."""
    import torch

    run = Run(path, system.seed, hardware)
    run.quiet = True
    if found := run.read_json("claim"):
        return found
    torch.set_num_threads(hardware.threads or max(1, torch.get_num_threads() // workers))
    started = time.perf_counter()
    start(system, run)
    claim = system.claim(run)
    run.write_json("compute", run.compute.report())
    found = {"claim": asdict(claim), "seconds": round(time.perf_counter() - started, 1)}
    run.write_json("claim", found)
    return found
