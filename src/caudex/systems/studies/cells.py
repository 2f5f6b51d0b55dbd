"""The cells of labels-saved: each a training, in a process and a run folder of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypedDict

import torch

from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.run_records import ComputeReport
from caudex.core.system import System, is_complete, save_model, write_settings
from caudex.core.typed_json import Amount, Share
from caudex.systems.studies.methods import Method, baseline_accuracy


class CellResult(TypedDict):
    """cell.json"""

    accuracy: Share
    flops: Amount
    seconds: Amount


class Cell(NamedTuple):
    """One method with one draw of so many labels of each class, 0 for all."""

    method_name: str
    labels: int
    draw: int
    method: Method
    seed: int

    @property
    def name(self) -> str:
        return f"{self.method_name}, {self.labels or 'all'}, {self.draw}"


def pretrain(system: System, path: Path, seed: int, hardware: Hardware) -> dict:
    """Learn without labels: the probes of the features, and the cost."""
    run = quiet_run(path, seed, hardware)
    if not is_complete(run):
        system = write_settings(system, run)
        save_model(system.train(run), run)
    compute = run.read_struct("compute", ComputeReport)
    return {"probes": system.read_results(run), "flops": compute.flops, "seconds": compute.seconds}


def measure_cell(cell: Cell, path: Path, hardware: Hardware) -> dict:
    """The accuracy of one cell, and its cost; the weights are not kept."""
    run = quiet_run(path, cell.seed, hardware)
    if result := run.read_checked("cell", CellResult):
        return result
    system = write_settings(cell.method.system, run)
    split = system.load_split()
    if cell.method.baseline:
        accuracy = baseline_accuracy(cell.method._replace(system=system), split)
    else:  # no curves of the test
        classifier = system.train_classifier(run, replace(split, test=split.test.take(slice(0, 0))))
        accuracy = classifier.accuracy(split.test)
    result = {"accuracy": accuracy, **run.compute.report()}
    run.write_json("cell", result)
    run.folder.remove("stages")
    return result


def quiet_run(path: Path, seed: int, hardware: Hardware) -> Run:
    torch.set_num_threads(hardware.threads or 1)
    run = Run(path, seed, hardware)
    run.quiet = True
    return run
