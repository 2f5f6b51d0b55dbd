"""Measure a claim over seeds."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from msgspec import Struct

from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.pool import run_parallel
from caudex.core.registry import did_you_mean
from caudex.core.run import Run
from caudex.core.seeds import check_seed
from caudex.core.system import System, open_run, system_name, write_settings
from caudex.core.typed_json import Amount, misfit
from caudex.evaluation.claim import PROVISIONAL_BELOW, Claim, overall_verdict, refusal, summarize_claims

MAX_SEEDS = 10_000


@dataclass(frozen=True)
class ClaimPlan:
    """What `caudex claim` measures: seeds, and the values of one setting, `over`, as NAME=V1,V2,..."""

    scale: str = "laptop"
    seeds: int = 5
    first_seed: int = 0
    over: str | None = None
    workers: int = 1
    command: str = ""

    @property
    def seed_numbers(self) -> range:
        return range(self.first_seed, self.first_seed + self.seeds)

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
        if not (1 <= self.seeds <= MAX_SEEDS and 1 <= self.workers <= MAX_SEEDS):
            raise CaudexError(f"--seeds {self.seeds} --workers {self.workers}: from 1 to {MAX_SEEDS:,} each.")
        check_seed(self.first_seed, "--first-seed")
        check_seed(self.first_seed + self.seeds - 1, "the last seed")
        name, values = self.sweep(system)
        for value in values:
            if name:
                replace(system, **{name: value}).check()


class SeedRecord(Struct):
    """claim.json of one seed: it can stand alone, and `gather_claim` reads it anywhere."""

    system: str
    settings: dict[str, Any]
    seed: int
    setting: str
    """the one that the claim varies, "" for none"""
    claim: Claim
    seconds: Amount

    @property
    def value(self) -> float | None:
        """Of the setting that is varied."""
        return self.settings[self.setting] if self.setting else None


def measure_claim(system: System, run: Run, plan: ClaimPlan) -> dict:
    """Every seed and value, those already measured read back; writes claim.json and returns it."""
    system = system.resolve()
    if run.read_json("plan") is not None and open_run(run.path)[0] != system:
        raise CaudexError(
            f"{run.path} is a claim with other settings; choose another --run, or `caudex resume {run.path}`."
        )
    run.write_json("plan", asdict(plan))
    write_settings(system, run)
    name, values = plan.sweep(system)
    jobs = []
    for seed in plan.seed_numbers:
        for value in values:
            measured_system = replace(system, seed=seed, **({name: value} if name else {}))
            folder = run.folder.plain_path(str(seed_folder(name, value, seed)))
            jobs.append((measured_system, folder, name, run.hardware, plan.workers))
    records = [read_record(path) for _, path, *_ in jobs]
    missing = [job for job, record in zip(jobs, records) if record is None]
    measured = iter(run_parallel(measure_seed, missing, plan.workers))
    records = [next(measured) if record is None else record for record in records]
    return write_claim(system, run, records, plan)


def seed_folder(setting: str, value: float | None, seed: int) -> Path:
    """Where one seed of a claim lies in its run folder."""
    return Path("stages") / (f"{setting}={value:g}" if setting else "") / f"seed-{seed}"


def seed_folders(run: Run) -> Iterator[str]:
    """The folders of seeds that there are: stages/seed-0, or stages/width=8/seed-0 where a setting is varied."""
    for stage in run.stage_names():
        if stage.startswith("seed-"):
            yield f"stages/{stage}"
        else:
            yield from (
                f"stages/{stage}/{name}" for name in run.folder.names(f"stages/{stage}") if name.startswith("seed-")
            )


def read_record(folder: Path, name: str = "claim") -> SeedRecord | None:
    """The record in NAME.json, None where there is none."""
    record = Run(folder).read_struct(name, SeedRecord)
    if record and record.setting and not isinstance(record.settings.get(record.setting), (int, float)):
        raise misfit(folder / f"{name}.json", f"its settings have no number {record.setting!r}")
    return record


def measure_seed(system: System, path: Path, setting: str, hardware: Hardware, workers: int) -> SeedRecord:
    """One seed's evidence, measured or read back."""
    import torch

    run = Run(path, system.seed, hardware)
    run.quiet = True
    if record := read_record(path):
        return record
    torch.set_num_threads(hardware.threads or max(1, torch.get_num_threads() // workers))
    started = time.perf_counter()
    system = write_settings(system, run)
    claim = system.claim(run)
    if system.seed in claim.tuning_seeds:
        raise CaudexError(
            f"the settings of {system_name(system)} were chosen on seed {system.seed}; choose another --first-seed."
        )
    run.write_json("compute", run.compute.report())
    seconds = round(time.perf_counter() - started, 1)
    record = SeedRecord(**run.settings(), seed=system.seed, setting=setting, claim=claim, seconds=seconds)
    run.write_struct("claim", record)
    return record


def write_claim(system: System, run: Run, records: Sequence[SeedRecord], plan: ClaimPlan) -> dict:
    """claim.json of all seeds."""
    by_value: dict[float | None, list[Claim]] = {}
    figures = {
        (*record.claim.baselines, "", *record.claim.controls, "", *record.claim.extra_metrics) for record in records
    }
    settings = {record.setting for record in records}
    if len(figures) > 1 or len(settings) > 1 or not records[0].claim.baselines:
        raise CaudexError(f"the seeds of {run.path} were not measured against the same baselines; begin a new claim.")
    for record in records:
        by_value.setdefault(record.value, []).append(record.claim)
    parts = summarize_claims(list(by_value.values()))
    evidence = parts[0]
    if setting := records[0].setting:
        evidence = {
            "statement": parts[0]["statement"],
            "verdict": overall_verdict(parts),
            "shown": all(part["shown"] for part in parts),
            "comparisons": parts[0]["comparisons"],
            "setting": setting,
            "values": [{"value": value} | part for value, part in zip(by_value, parts)],
        }
    seeds = sorted({record.seed for record in records})
    claim = {
        "system": system_name(system),
        **evidence,
        "refused": refusal(evidence),
        "provisional": len(seeds) < PROVISIONAL_BELOW,
        "number_format": system.number_format,
        "scale": plan.scale,
        "seeds": seeds,
        "command": plan.command,
        "seconds": round(sum(record.seconds for record in records), 1),
    }
    run.write_json("claim", claim)
    return claim
