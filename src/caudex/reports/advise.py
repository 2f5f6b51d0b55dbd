"""What the command advise says, on the screen and on its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from caudex.core.errors import counted
from caudex.core.run import Run
from caudex.data import ImageSet
from caudex.evaluation.doctor import Finding
from caudex.evaluation.plots.image_tiles import plot_image_tiles
from caudex.reports.html import html_figure, html_table, write_page
from caudex.systems.studies.advise import Advice, confused_classes, gain_over

WORTH_WHILE = 0.01
"""a gain that more labels cannot exceed, and labelling may stop"""
SHOWN = 16
"""examples of a kind of finding on the page"""
COMMANDS = {
    "supervised": "caudex train supervised {flags}",
    "noisy-student": "caudex train noisy-student {flags}",
    "logistic regression": "caudex embed {data} --to features.npy, then scikit-learn's LogisticRegression",
    "label spreading": "caudex embed {data} --to features.npy, then scikit-learn's LabelSpreading(kernel='knn', n_neighbors=10, alpha=0.5)",
    "MiniLM, logistic regression": "caudex import minilm --run runs/minilm, then caudex train text-labels {flags} --from runs/minilm --finetune 0",
    "MiniLM, label spreading": "scikit-learn's LabelSpreading(kernel='knn', n_neighbors=10, alpha=0.5) on features of MiniLM",
    "words counted": "scikit-learn's TfidfVectorizer and LogisticRegression; caudex train text-labels {flags} prints what they reach",
}
"""how to begin with each method"""
ON_PIXELS = {
    "logistic regression": "scikit-learn's Nystroem and LogisticRegression on pixels",
    "label spreading": "scikit-learn's LabelSpreading(kernel='knn', n_neighbors=10, alpha=0.5) on pixels",
}
"""the same, where images have no features"""


def advice_rows(advice: Advice, more: int) -> list[tuple[str, ...]]:
    """A row a method: what it reaches with the labels of today, and with more."""
    header = ("method", f"with {advice.num_labels:,} labels", f"with {more:,} more", f"gain over {advice.best}")
    rows = []
    for name, forecast in sorted(advice.forecasts.items(), key=lambda item: -item[1].now):
        gain = "" if name == advice.best else points(*(-value for value in swap(gain_over(advice, name, 0))))
        now = f"{forecast.now:.1%} {interval(forecast.now_interval)}"
        rows.append((name, now, f"{forecast.later:.1%} {interval(forecast.later_interval)}", gain))
    return [header, *rows, ("one class for all", f"{advice.majority:.1%}", "", "")]


def advice_sentences(
    advice: Advice, wrong: str, off_topic: int, more: int, flags: str, on_pixels: bool = False
) -> list[str]:
    """What to do, in a few sentences; `wrong` is one on labels that may be wrong, `off_topic` counts images that may be of other things."""
    commands = COMMANDS | ON_PIXELS if on_pixels else COMMANDS
    forecast, data = advice.forecasts[advice.best], flags.split(" --")[0].removeprefix("--data ")
    sentences = [f"Begin with {advice.best}: {commands[advice.best].format(flags=flags, data=data)}"]
    if forecast.now_interval[1] <= advice.majority:
        sentences = [
            f"No method is better than one class for all ({advice.majority:.0%}): the examples may not show what the labels say, or "
            "many labels may be wrong."
        ]
    elif forecast.now_interval[0] <= advice.majority:
        sentences.append(
            f"Few labels do not show whether it is better than one class for all ({advice.majority:.0%}); label more before you trust it."
        )
    gain = (
        f"{points(forecast.gain, *forecast.gain_interval)}, to {forecast.later:.1%} {interval(forecast.later_interval)}"
    )
    if forecast.gain_interval[1] < WORTH_WHILE:
        sentences.append(f"You can stop labelling here: {more:,} more labels are worth {gain}.")
    else:
        sentences.append(f"{more:,} more labels are worth {gain}.")
    if pairs := confused_classes(advice.methods[advice.best].errors, advice.classes):
        named = ", ".join(f"{a!r} and {b!r}" for a, b, _ in pairs)
        sentences.append(f"Most often taken for each other: {named}. Labels of these help most.")
    if off_topic:
        sentences.append(f"{counted(off_topic, 'unlabelled image')} may be of other things.")
    return [*sentences, wrong] if wrong else sentences


def write_advice_page(
    run: Run, advice: Advice, count: str, more: int, sentences: Sequence[str], examples: Sequence[str]
) -> None:
    """report.html; `count` says how many examples there are, `examples` are further parts of the page."""
    plot_forecast(run, advice, more)
    parts = [f"<h1>advise</h1><p>{count}, {advice.num_labels:,} labelled.</p>"]
    parts += [f"<p><b>{escape(sentences[0])}</b></p>", *(f"<p>{escape(sentence)}</p>" for sentence in sentences[1:])]
    parts.append("<h2>Methods</h2>" + html_table(advice_rows(advice, more)))
    caption = (
        "Accuracy with shares of the labels, tested on the others; the line: a power law; the bar: its 95% interval with "
        f"{more:,} more labels."
    )
    parts.append(html_figure("forecast", run.folder.read("figures/forecast.png") or b"", caption))
    if pairs := confused_classes(advice.methods[advice.best].errors, advice.classes, 10):
        parts.append("<h2>Confused classes</h2>" + html_table([("class", "class", "errors in all trials"), *pairs]))
    write_page(run, f"advise: {run.path.name}", [*parts, *examples])


def image_examples(run: Run, images: ImageSet, wrong: Sequence[Finding], off_topic: Sequence[Finding]) -> Iterator[str]:
    """Tiles of what was found, for the page."""
    for title, findings in {"Probably wrong labels": wrong, "Unlike all labelled images": off_topic}.items():
        if findings:
            rows, stem = [finding.row for finding in findings[:SHOWN]], title.lower().replace(" ", "-")
            captions = [finding.suggestion[:14] for finding in findings[:SHOWN]]
            plot_image_tiles(run, stem, images.fetch(rows), min(8, len(rows)), captions)
            yield f"<h2>{title}: {len(findings):,}</h2>"
            yield html_figure(stem, run.folder.read(f"figures/{stem}.png") or b"", title)


def text_examples(texts: Sequence[str], wrong: Sequence[Finding]) -> Iterator[str]:
    """A table of labels that may be wrong, for the page."""
    if wrong:
        rows = [(texts[finding.row][:300], finding.reason) for finding in wrong[:SHOWN]]
        yield f"<h2>Probably wrong labels: {len(wrong):,}</h2>" + html_table([("text", ""), *rows])


def plot_forecast(run: Run, advice: Advice, more: int) -> None:
    """figures/forecast.png: the trials of each method, and the forecast of the best."""
    from matplotlib.ticker import PercentFormatter

    with run.figure("forecast", width=7, height=4) as axis:
        for number, (name, part) in enumerate(advice.methods.items()):
            sizes = sorted({trial.size for trial in part.trials})
            means = [np.mean([trial.is_right.mean() for trial in part.trials if trial.size == size]) for size in sizes]
            is_best = name == advice.best
            color = "k" if is_best else f"C{number}"
            axis.plot(sizes, means, "o", color=color, ms=4)
            forecast = advice.forecasts[name]
            x, y = [advice.num_labels, advice.num_labels + more], [forecast.now, forecast.later]
            axis.plot([*sizes, *x], [*means, *y], "--", color=color, lw=1.6 if is_best else 0.9, label=name)
            if is_best:
                low, high = forecast.later_interval
                axis.plot([x[1]] * 2, [low, high], color=color, lw=3, alpha=0.4)
        axis.set(xlabel="labels", ylabel="accuracy")
        axis.yaxis.set_major_formatter(PercentFormatter(1))
        axis.legend(fontsize=8)


def interval(bounds: tuple[float, float]) -> str:
    return f"({bounds[0]:.1%} to {bounds[1]:.1%})"


def points(gain: float, low: float, high: float) -> str:
    """+3.1 points (0.4 to 6.0)"""
    gain, low, high = (round(100 * value, 1) + 0.0 for value in (gain, low, high))  # no -0.0
    return f"{gain:+.1f} points ({low:+.1f} to {high:+.1f})"


def swap(values: tuple[float, float, float]) -> tuple[float, float, float]:
    gain, low, high = values
    return gain, high, low
