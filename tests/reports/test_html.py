"""Figures in a report: captions that are true, sizes that can be read, one colour for one method."""

import re

import numpy as np
from PIL import Image

from caudex.core.run import Run
from caudex.evaluation.plots.contact_sheet import plot_episode
from caudex.evaluation.plots.corruptions import plot_corruptions
from caudex.evaluation.plots.learning_curves import plot_learning_curves
from caudex.reports.html import html_figures


def write_fit(run, name, rows, chance=None):
    stage = run.stage(name)
    stage.write_json("about", {"chance_loss": {"labels": chance}} if chance else {})
    for step, row in enumerate(rows):
        stage._log.append("metrics.jsonl", step, row)
    return stage


def line_colours(monkeypatch, run, plot):
    """The colour of each line of the first panel, by its name, as `plot` draws it."""
    from matplotlib.figure import Figure

    colours, save = {}, Figure.savefig

    def savefig(figure, *args, **kwargs):
        colours.update({line.get_label(): line.get_color() for line in figure.axes[0].lines})
        save(figure, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        plot(run)
    return colours


def test_the_caption_of_learning_curves_says_what_is_there(tmp_path):
    run = Run(tmp_path)
    assert plot_learning_curves(run) == ""
    write_fit(run, "training", [{"episodes/return": 1.0}, {"episodes/return": 2.0}])
    assert plot_learning_curves(run) == "Learning curves, a line for each training."
    write_fit(run, "teacher", [{"labels/loss": 2.0, "evaluation/accuracy": 0.1}, {"labels/loss": 1.0}], chance=2.3)
    caption = plot_learning_curves(run)
    assert "Nothing is chosen by the figures of the test. Dotted: the loss of a predictor" in caption
    assert f"<figcaption>{caption}</figcaption>" in html_figures(run, {"learning-curves": caption})


def test_a_method_has_one_colour_in_all_figures(tmp_path, monkeypatch):
    run = Run(tmp_path)
    for name in ("teacher", "student", "supervised"):
        write_fit(run, name, [{"labels/loss": 1.0}, {"labels/loss": 0.5}])
    rows = [{"corruption": "blur", "severity": i, "accuracy": 0.5} for i in range(1, 6)]
    run.table("corruption-noisy-student", rows)
    run.stage("supervised").table("corruption-supervised", rows)
    curves = line_colours(monkeypatch, run, plot_learning_curves)
    corruptions = line_colours(monkeypatch, run, plot_corruptions)
    assert corruptions["supervised"] == curves["supervised"]
    assert corruptions["noisy-student"] not in curves.values() and len(set(curves.values())) == 3


def test_a_figure_scrolls_before_its_letters_are_too_small(tmp_path):
    run = Run(tmp_path)
    with run.figure("a b", columns=3) as axes:
        axes[0].plot([1, 2])
    width = Image.open(tmp_path / "figures/a b.png").width
    html = html_figures(run, {})
    assert f"max-width:{width}px;min-width:{round(0.6 * width)}px" in html and "href='figures/a%20b.png'" in html
    assert re.search(r"<div class='scroll'><a [^>]*><img ", html)


def test_a_sheet_of_an_episode_is_as_high_as_its_images(tmp_path):
    for shape in ((100, 160, 3), (160, 160, 3)):
        plot_episode(Run(tmp_path), [np.zeros(shape, np.uint8)] * 12, 1.0)
        pixels = np.asarray(Image.open(tmp_path / "figures/episode.png").convert("L"))
        rows = (pixels < 128).mean(1) > 0.5
        assert rows.mean() > 0.7, (shape, rows.mean())
