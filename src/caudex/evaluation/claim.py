"""A claim: a sentence, its score, and the scores of the baselines measured in the same run."""

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
from caudex.core.seeds import check_seed
from caudex.core.system import System, open_run, system_name, write_settings
from caudex.evaluation.intervals import paired_interval, t_interval


@dataclass(frozen=True)
class Claim:
    """One seed's evidence. The first of the `baselines` is the one that must be beaten."""

    statement: str
    score: float
    baselines: dict[str, float]
    extra_metrics: dict[str, float] = field(default_factory=dict)
    """reported, but the claim does not depend on them"""


def aggregate_seeds(claims: Sequence[Claim]) -> dict:
    """Means with intervals over the seeds, gains paired by seed. Shown when the gain's interval lies above zero.

    The interval of a single seed is None.
    """

    def with_interval(mean: float, *bounds: float) -> tuple[float, list[float] | None]:
        return mean, list(bounds) if len(claims) > 1 else None

    def over_seeds(values: Sequence[float]) -> dict:
        return dict(zip(("mean", "interval"), with_interval(*t_interval(values))))

    scores, baselines = [claim.score for claim in claims], {}
    for name in claims[0].baselines:
        baseline_scores = [claim.baselines[name] for claim in claims]
        gain, gain_interval = with_interval(*paired_interval(scores, baseline_scores))
        baselines[name] = over_seeds(baseline_scores) | {"gain": gain, "gain_interval": gain_interval}
    interval = next(iter(baselines.values()))["gain_interval"]
    return {
        "statement": claims[0].statement,
        **over_seeds(scores),
        "shown": bool(interval and interval[0] > 0),
        "baselines": baselines,
        "extra_metrics": {
            name: over_seeds([claim.extra_metrics[name] for claim in claims]) for name in claims[0].extra_metrics
        },
    }


@dataclass(frozen=True)
class ClaimPlan:
    """What `caudex claim` measures: seeds, and the values of one setting, `over`, as NAME=V1,V2,..."""

    scale: str = "laptop"
    seeds: int = 5
    first_seed: int = 0
    over: str | None = None
    workers: int = 1
    command: str = ""

    def sweep(self, system: System) -> tuple[str, list]:
        """The setting's name and values; "" and [None] where nothing is varied."""
        if not self.over:
            return "", [None]
        flag, _, words = self.over.partition("=")
        name = flag.replace("-", "_")
        types = {f.name: re.findall(r"\b(?:int|float)\b", str(f.type)) for f in fields(system) if f.name != "seed"}
        numeric = [setting for setting, type_names in types.items() if type_names]
        if name not in numeric or not words:
            raise CaudexError(
                f"--over {self.over}: say NAME=V1,V2,... with a setting of {system_name(system)} that is a number."
                f"{did_you_mean(name, numeric).replace('_', '-')}"
            )
        number = float if "float" in types[name] else int
        try:
            values = [number(word) for word in words.split(",")]
        except ValueError:
            raise CaudexError(
                f"--over {self.over}: values must be {'' if number is float else 'whole '}numbers, as in {flag}=1,2,4."
            ) from None
        if len({f"{value:g}" for value in values}) < len(values):
            raise CaudexError(f"--over {self.over}: two values are the same; name each once.")
        return name, values

    def check(self, system: System) -> None:
        if self.seeds < 1 or self.workers < 1:
            raise CaudexError(f"--seeds {self.seeds} --workers {self.workers}: at least 1 and 1.")
        check_seed(self.first_seed, "--first-seed")
        check_seed(self.first_seed + self.seeds - 1, "the last seed")
        name, values = self.sweep(system)
        for value in values:
            if name:
                replace(system, **{name: value}).check()


def measure_claim(system: System, run: Run, plan: ClaimPlan) -> dict:
    """Every seed and value, those already measured read back; writes claim.json and returns it."""
    if run.read_json("plan") and open_run(run.path)[0] != system:
        raise CaudexError(
            f"{run.path} is a claim with other settings; choose another --run, or `caudex resume {run.path}`."
        )
    run.write_json("plan", asdict(plan))
    write_settings(system, run)
    name, values = plan.sweep(system)
    units = [(value, seed) for seed in range(plan.first_seed, plan.first_seed + plan.seeds) for value in values]
    jobs = []
    for value, seed in units:
        stage = run.path / "stages" / ("" if value is None else f"{name}={value:g}") / f"seed-{seed}"
        jobs.append((replace(system, seed=seed, **({name: value} if name else {})), stage, run.hardware))
    records = [Run(path).read_json("claim") for _, path, _ in jobs]
    missing = [(*job, plan.workers) for job, record in zip(jobs, records) if record is None]
    measured = iter(run_parallel(measure_seed, missing, plan.workers))
    records = [next(measured) if record is None else record for record in records]
    by_value = []
    for value in values:
        claims = [Claim(**records[i]["claim"]) for i, unit in enumerate(units) if unit[0] == value]
        by_value.append(({} if value is None else {"value": value}) | aggregate_seeds(claims))
    evidence = by_value[0]
    if name:
        all_shown = all(part["shown"] for part in by_value)
        evidence = {"statement": evidence["statement"], "shown": all_shown, "setting": name, "values": by_value}
    claim = {
        "system": system_name(system),
        **evidence,
        "number_format": system.number_format,
        "scale": plan.scale,
        "seeds": list(range(plan.first_seed, plan.first_seed + plan.seeds)),
        "command": plan.command,
        "seconds": round(sum(record["seconds"] for record in records), 1),
    }
    run.write_json("claim", claim)
    return claim


def measure_seed(system: System, path: Path, hardware: Hardware, workers: int) -> dict:
    """One seed's claim with the seconds it took, measured or read back."""
    import torch

    run = Run(path, system.seed, hardware)
    run.quiet = True
    if record := run.read_json("claim"):
        return record
    torch.set_num_threads(hardware.threads or max(1, torch.get_num_threads() // workers))
    started = time.perf_counter()
    write_settings(system, run)
    claim = system.claim(run)
    run.write_json("compute", run.compute.report())
    record = {"claim": asdict(claim), "seconds": round(time.perf_counter() - started, 1)}
    run.write_json("claim", record)
    return record
