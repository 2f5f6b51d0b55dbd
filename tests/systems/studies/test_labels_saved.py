"""The panel measures every method, and resumes."""

import shutil
from dataclasses import replace

import pytest
from helpers.trainings import quiet_run, train

from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.core.system import system_at_scale
from caudex.evaluation.classification import accuracy_with_interval
from caudex.evaluation.labels_saved import aggregate_draws, format_row
from caudex.evaluation.plots.labels_saved import plot_labels_saved
from caudex.evaluation.plots.linear_probes import plot_linear_probes


def test_two_draws_have_no_interval(tmp_path):
    rows = [
        {"method": method, "labels": 0, "draw": seed, "accuracy": right}
        for method, rights in {"supervised": (0.5, 0.6), "free": (0.8, 0.9)}.items()
        for seed, right in enumerate(rights)
    ]
    _, free = aggregate_draws(rows, max_labels=10)
    assert (free["low"], free["high"], free["gain_low"], free["gain_high"]) == (None,) * 4
    assert free["accuracy"] == pytest.approx(0.85) and free["draws"] == [0.8, 0.9]
    assert format_row(free) == "85.0%"  # no arrow
    system, run = system_at_scale("labels-saved", "tiny"), Run(tmp_path)
    probes = {"free": {which: accuracy_with_interval(0.7, 50) for which in ("random trunk", "linear probe")}}
    plot_labels_saved(run, [free | {"method": "supervised"}, free])
    plot_linear_probes(run, probes, 0.85)
    assert (tmp_path / "figures" / "labels-saved.png").exists()
    assert (tmp_path / "figures" / "linear-probes.png").exists()
    assert system.warn({"table": [free]}) == [
        "2 draws are too few for an interval, so no gain is shown; try --draws 5."
    ]


def test_the_panel_measures_every_method_and_goes_on_where_it_was(coloured_shapes, tmp_path):
    small = {
        "steps": 30,
        "label_counts": (2,),
        "draws": 2,
        "pretraining": ("rotation",),
        "auxiliary": ("rotation:0.5",),
        "processes": 1,
    }
    system = replace(system_at_scale("labels-saved", "tiny"), data=coloured_shapes, batch=16, width=4, **small)
    _, run = train(system, tmp_path / "run")
    results = run.read_json("results")
    methods = ["supervised", "noisy-student", "rotation first"]
    methods += ["rotation first, then noisy-student", "with rotation:0.5"]
    assert list(dict.fromkeys(row["method"] for row in results["table"])) == methods
    cells = run.path / "stages" / "cells"
    # the same operations for all: steps that go beyond are the last
    spent = {
        name: Run(cells / f"{name}, 2, 0").read_json("cell")["flops"] for name in ("supervised", "with rotation:0.5")
    }
    first = Run(cells / "rotation first, 2, 0").read_json("cell")["flops"]
    first += Run(run.path / "stages" / "rotation-0" / "stages" / "pretraining").read_json("finished")["flops"]
    assert first == pytest.approx(spent["supervised"], rel=0.25)
    pretrained = (run.path / "stages" / f"rotation-{draw}" / "stages" / "pretraining" for draw in (0, 1))
    assert len({(stage / "metrics.jsonl").read_bytes() for stage in pretrained}) == 2  # each draw has its own
    assert spent["with rotation:0.5"] == pytest.approx(spent["supervised"], rel=0.25)
    shutil.rmtree(cells / "supervised, 2, 1")
    run.read_json("results")
    (run.path / "results.json").unlink()
    replace(system, label_counts=(50, 2), auxiliary=("jigsaw",)).check()
    with pytest.raises(CaudexError, match="pixels, too few"):  # before anything is trained
        replace(system, auxiliary=("jigsaw",), size=8).train(quiet_run(tmp_path / "tiny"))
    assert not (tmp_path / "tiny" / "stages").exists()
    system.train(quiet_run(run.path, system.seed))
    assert run.read_json("results") == results
