"""Settings of domain-confusion's arms, and what kinds, layers and batch statistics give.

    python benchmarks/domain_confusion.py tune runs/domains     # eight trials an arm, chosen by the loss on held-out source images
    python benchmarks/domain_confusion.py parts runs/domains    # kinds, layers, statistics: accuracy on the target, of --seeds 5
    python benchmarks/domain_confusion.py arms runs/claim       # a claim's arms by seed, and what domain confusion adds to either source

What is done is not done again. They write results/domain-confusion-{tune,parts,arms}-TARGET.csv. `tune` uses seed 100. The bound alone
is chosen by the target's labels, on a fifth of those that it learns from.
"""

import argparse
import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from caudex.core.run import Run
from caudex.data.stratified import split_stratified
from caudex.evaluation.domain_probe import probe_domains
from caudex.evaluation.intervals import t_interval
from caudex.systems.simulation.domain_confusion import (
    BOTH,
    BOUND,
    CONFUSION,
    RANDOMISED,
    SOURCE_ONLY,
    DomainConfusion,
)

TUNING_SEED = 100
RATES = (0.01, 0.03, 0.1, 0.3)
TRIALS = {
    True: [
        {"lr": lr, "strength": strength} for lr in RATES for strength in (0.3, 1.0)
    ],  # of arms with domain confusion
    False: [{"lr": lr, "decay": decay} for lr in RATES for decay in (1e-4, 1e-3)],
}
PARTS = {
    "gradient-reversal, pooled": {},
    "gradient-reversal, stage3": {"layer": "stage3"},
    "gradient-reversal, stage2": {"layer": "stage2"},
    "gradient-reversal, stage1": {"layer": "stage1"},
    "uniform, pooled": {"kind": "uniform"},
    "inverted, pooled": {"kind": "inverted"},
    "gradient-reversal, pooled, statistics of both together": {"separate_statistics": False},
}


def once(file: Path, measure: Callable[..., dict], *arguments) -> dict:
    """What the file has; it is measured where there is none."""
    if not file.exists():
        values = measure(file.with_suffix(""), *arguments)
        file.write_text(json.dumps(values))
        print(file, values, flush=True)
    return json.loads(file.read_text())


def write_csv(name: str, rows: list[tuple]) -> None:
    with Path(f"results/domain-confusion-{name}.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    for row in rows:
        print(*row, sep=", ")


def quiet_run(folder: Path, seed: int) -> Run:
    run = Run(folder, seed)
    run.quiet = True
    return run


def tune(folder: Path, target: str, _: int) -> None:
    rows = [("arm", "settings", f"loss of seed {TUNING_SEED}")]
    for arm in (CONFUSION, SOURCE_ONLY, RANDOMISED, BOTH, BOUND):
        source = "random-font-digits" if arm in (RANDOMISED, BOTH) else "font-digits"
        for settings in TRIALS[arm in (CONFUSION, BOTH)]:
            words = " ".join(f"{name}={value:g}" for name, value in settings.items())
            system = replace(DomainConfusion(source=source, target=target, seed=TUNING_SEED), **settings)
            file = folder / f"tune-{target}-{arm}-{words}-{TUNING_SEED}.json"
            rows.append((arm, words, f"{once(file, held_out_loss, system, arm)['loss']:.4f}"))
    write_csv(f"tune-{target}", rows)


def held_out_loss(folder: Path, system: DomainConfusion, arm: str) -> dict:
    source, target = system.load(system.source)
    if arm == BOUND:
        train, held_out = split_stratified(target.labelled.labels, 0.2, system.seed, "bound")
        source = replace(target, labelled=target.labelled.take(train), test=target.labelled.take(held_out))
    images = target.train if arm in (CONFUSION, BOTH) else None
    model = system.fit_arm(quiet_run(folder, system.seed), source, images, **system.budget(1.0))
    system.take_statistics(model, source.labelled)
    return {"loss": F.cross_entropy(model.logits(source.test), source.test.labels).item()}


def parts(folder: Path, target: str, seeds: int) -> None:
    values = {}
    for seed in range(seeds):
        for name, settings in PARTS.items():
            system = replace(DomainConfusion(target=target, seed=seed), **settings)
            row = once(folder / f"parts-{target}-{name}-{seed}.json", confuse, system)
            values.setdefault(name, []).append(row)
    rows = [
        (
            "kind, layer",
            *(f"seed {seed}" for seed in range(seeds)),
            *(("mean", "low", "high") if seeds > 1 else ()),
            "told by a new discriminator",
        )
    ]
    for name, parts in values.items():
        accuracies = [part["accuracy"] for part in parts]
        interval = t_interval(accuracies) if seeds > 1 else ()
        figures = (*accuracies, *interval, np.mean([part["probe"] for part in parts]))
        rows.append((name, *(f"{value:.4f}" for value in figures)))
    write_csv(f"parts-{target}", rows)


def arms(folder: Path, target: str, _: int) -> None:
    results = [json.loads(file.read_text())["arms"] for file in sorted(folder.glob("stages/seed-*/results.json"))]
    accuracies = {name: np.array([result[name]["accuracy"] for result in results]) for name in results[0]}
    gains = {f"gain: {SOURCE_ONLY} to {CONFUSION}": accuracies[CONFUSION] - accuracies[SOURCE_ONLY]}
    gains[f"gain: {RANDOMISED} to {BOTH}"] = accuracies[BOTH] - accuracies[RANDOMISED]
    gains[f"gain: {CONFUSION} to {RANDOMISED}"] = accuracies[RANDOMISED] - accuracies[CONFUSION]
    rows = [("arm", *(f"seed {seed}" for seed in range(len(results))), "mean", "low", "high")]
    for name, values in (accuracies | gains).items():
        rows.append((name, *(f"{value:.4f}" for value in (*values, *t_interval(values)))))
    write_csv(f"arms-{target}", rows)


def confuse(folder: Path, system: DomainConfusion) -> dict:
    domains = system.load(system.source)
    run = quiet_run(folder, system.seed)
    model = system.fit_arm(run, domains.source, domains.target.train, **system.budget(1.0))
    accuracy = model.accuracy(domains.target.test)
    return {"accuracy": accuracy, "probe": probe_domains(*system.domain_features(model, domains), system.seed)["probe"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("tune", "parts", "arms"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--target", default="digits")
    parser.add_argument("--seeds", type=int, default=5)
    flags = parser.parse_args()
    torch.set_num_threads(1)
    flags.folder.mkdir(parents=True, exist_ok=True)
    {"tune": tune, "parts": parts, "arms": arms}[flags.command](flags.folder, flags.target, flags.seeds)


if __name__ == "__main__":
    main()
