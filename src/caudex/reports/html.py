"""report.html: one file with all figures inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from caudex.core.compute import Compute
from caudex.core.run import Run
from caudex.core.run_files import Skipped
from caudex.core.run_records import ComputeReport
from caudex.core.specs import ImageSpec
from caudex.core.system import open_run
from caudex.data.files import count_skipped
from caudex.evaluation.plots.corruptions import plot_corruptions
from caudex.evaluation.plots.learning_curves import plot_learning_curves
from caudex.evaluation.plots.sweep import plot_sweep
from caudex.reports.run_contents import LAYER_COLUMNS, Layer, Round, read_claim
from caudex.reports.tables import claim_notes, claim_table, claim_verdict, is_finished
from caudex.systems.shared import describe_images

CAPTIONS = {
    "labels-saved": "Accuracy against labels, a line for each method, with 95% intervals over draws of labels (of two draws: the draws). "
    "Black: labels alone. Dotted, where there is one: a signal beside the labels.",
    "linear-probes": "Linear probes of the frozen features of each signal, compared with a random trunk; the line: "
    "a network that learned from all labels. Intervals are those of the test images; one seed.",
    "domains": "Images that are learned from: above those of the source, below those of the target.",
    "accuracies": "Accuracy on the target, with 95% intervals of its test images; the lines are the gap to be closed.",
    "domain-features": "Features of training images in two dimensions by t-SNE, coloured by domain. A map can mix what a discriminator tells "
    "apart: the table has what a new one tells.",
    "signal-outputs": "What the signal predicts from images: from held-out ones, where some are held out.",
    "stages": "An episode of each stage of learning, from its beginning to its end; under each image how far it was, at the left what became of it.",
    "next-frames": "What was seen, what was predicted, what came, and where they differ; videos that it did not learn from.",
    "nearest": "Each row: an image, and those whose features are nearest to its own.",
    "tsne": "The features of the test images in two dimensions by t-SNE; the classes only colour it.",
    "episode": "An episode of the trained policy: images spread evenly in time, from the upper left to the lower right.",
    "boundaries": "What each classifier says of each point of the plane; the large points are those whose label it knew.",
    "elo": "Elo of the player on the way, against the positions that it had searched, with 95% intervals; a random player has 0.",
    "strength": "What the search adds: the measure of the table against the simulations of a move, with 95% intervals.",
    "game": "A game against itself. Below each position the probabilities of moves by the network alone, and after the search; above them the "
    "largest of these, and the chance to win for the player to move.",
    "mazes": "The paths of the first two episodes in some new mazes, and the lengths of all episodes.",
    "regret": "What the best arm would have earned more, for each pull.",
    "learning-curves": "Learning curves.",
    "corruptions": "Accuracy on corrupted test images, from light (1) to severe (5).",
    "predicted-numbers": "Predicted numbers of the test images against the true ones; on the dotted line they are right.",
    "reliability": "Reliability (Guo et al. 2017): the share of predictions that is right, by their confidence, and above each bar how "
    "many they are. Bars below the dotted line: too sure. Red: the mean confidence. Left as the network says it, right after calibration.",
    "confusion": "Confusion matrix: how many images of each label (row) were predicted to be of which class (column).",
    "most-confident": "Test images with the highest confidence.",
    "least-confident": "Test images with the lowest confidence.",
    "confident-errors": "Errors, the most confident first. Above each: prediction and confidence, then the label. "
    "Some labels may be wrong.",
    "wrong-pseudo-labels": "Wrong pseudo-labels of this round's teacher, the most confident first.",
    "word-by-word": "What the network thinks of texts that were held out, as it reads on; above each, what its label says.",
    "sweep": "The claim for each value of the setting, with 95% intervals over seeds.",
}
WIDE_FIGURES = (
    "labels-saved",
    "linear-probes",
    "domains",
    "accuracies",
    "domain-features",
    "signal-outputs",
    "stages",
    "episode",
    "boundaries",
    "mazes",
    "game",
    "next-frames",
    "nearest",
    "learning-curves",
    "corruptions",
    "word-by-word",
    "reliability",
    "",
)
READABLE_SCALE = 0.6
"""of a figure: its smallest letters, of 7 points at 120 to the inch, are 7 pixels high then"""
ROUND_COLUMNS = {
    "pseudo_labels": "pseudo-labels",
    "images": "of images",
    "pseudo_label_accuracy": "right, where known",
    "student_accuracy": "student right",
}

CSS = """
:root{color-scheme:light}body{font:16px/1.5 system-ui,sans-serif;color:#1d2733;background:#fff;margin:0 auto;padding:1.2rem;max-width:70rem}
h1{font-size:1.6rem;margin:.2rem 0}h2{font-size:1.15rem;margin:2rem 0 .6rem;border-bottom:1px solid #d8dee6;padding-bottom:.2rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #e7ebf0;vertical-align:top}
figure{margin:1rem 0}img{width:100%;height:auto;display:block}figcaption{color:#56636f;font-size:.88rem;max-width:46rem}
pre{white-space:pre-wrap;background:#f6f8fa;padding:.8rem;font-size:.85rem}
.note{background:#fff4d6;border-left:4px solid #e0a100;padding:.5rem .8rem;margin:.6rem 0}.shown{color:#0a6b35}.not{color:#8a1f11}
.sheet{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:0 1.5rem}footer{color:#56636f;font-size:.85rem;margin-top:2rem}
@media(max-width:36rem){body{padding:.7rem}th,td{padding:.25rem .45rem .25rem 0;font-size:.8rem}}
"""


def write_report(path: str | Path) -> Path:
    """Plot a run folder and write its report.html; returns that file."""
    system, run = open_run(path)
    claim, results, spec = read_claim(run), system.read_results(run), run.read_spec(system.spec_type)
    captions = {"learning-curves": plot_learning_curves(run)}
    plot_corruptions(run)
    name, docstring = run.settings()["system"], type(system).__doc__
    parts = [f"<h1>{escape(name)}</h1><p>{escape((docstring or '').strip().splitlines()[0])}</p>"]
    if isinstance(spec, ImageSpec) and spec.counts:
        classes = f": {', '.join(spec.classes)}" if spec.classes else ""
        parts.append(f"<p>{escape(describe_images(spec) + classes)}.</p>")
    if claim:
        css_class = "shown" if claim["shown"] else "not"
        provisional = ", provisional" if claim.get("provisional") else ""
        conditions = (
            f"{len(claim['seeds'])} seeds{provisional}, scale {claim['scale']}. <code>{escape(claim['command'])}</code>"
        )
        parts.append(f"<h2>The claim is <span class='{css_class}'>{escape(claim_verdict(claim))}</span></h2>")
        parts.append(f"<div class='note'>{escape(claim['refused'])}</div>" if claim.get("refused") else "")
        parts.append(f"<p>{escape(claim['statement'])}: {conditions}</p>" + html_table(claim_table(claim)))
        parts += [f"<p>{escape(note)}</p>" for note in claim_notes(claim)]
        if "setting" in claim:
            plot_sweep(run, claim, system.measure)
    if results:
        parts += [f"<div class='note'>{escape(line)}</div>" for line in system.warn(results)]
        parts.append("<h2>Results</h2>" + html_table(system.result_rows(results)))
        parts.append(f"<p>{escape(system.legend)}</p>" if system.legend else "")
    if not is_finished(run):
        advice = f"<code>caudex resume {escape(str(path))}</code> goes on with it."
        parts.append(f"<div class='note'>This training is not finished; {advice}</div>")
    parts.append(html_figures(run, captions))
    if samples := run.read_text("samples.txt"):
        parts.append(f"<h2>Samples, as they came</h2><pre>{escape(samples)}</pre>")
    if rounds := run.read_table("rounds", Round):
        shares = ("pseudo_label_accuracy", "student_accuracy")
        cells = [tuple(_percent(v) if name in shares else v for name, v in row.items()) for row in rounds]
        parts.append(
            "<h2>Rounds</h2>" + html_table([tuple(ROUND_COLUMNS.get(name, name) for name in rounds[0]), *cells])
        )
    if layers := run.read_table("layers", Layer):
        cells = [(row["layer"], *(_percent(row[name]) for name in LAYER_COLUMNS)) for row in layers]
        parts.append("<h2>Probes of each layer</h2>" + html_table([("layer", *LAYER_COLUMNS.values()), *cells]))
    if skipped := run.read_table("skipped", Skipped):
        parts.append(
            f"<h2>Left out: {count_skipped([row['file'] for row in skipped])}</h2>"
            + html_table([("file", "reason"), *((r["file"], r["reason"]) for r in skipped[:50])])
        )
    parts.append(html_compute(run))
    settings = {name: "-" if value in (None, []) else value for name, value in run.settings()["settings"].items()}
    parts.append("<h2>Settings</h2>" + html_table([("setting", "value"), *settings.items()]))
    write_page(run, f"{name}: {run.path.name}", parts)
    return run.path / "report.html"


def write_page(run: Run, title: str, parts: Sequence[str]) -> None:
    """report.html of these parts, in HTML."""
    body = "\n".join(parts)
    head = "<meta charset='utf-8'><meta name='viewport' content='width=device-width,initial-scale=1'>"
    foot = f"<footer>{escape(run.path.name)}, made by caudex</footer>"
    page = f"<html lang='en'>{head}<title>{escape(title)}</title><style>{CSS}</style><body>{body}{foot}</body></html>"
    run.write("report.html", ("<!doctype html>" + page).encode(errors="replace"))  # a file name may be no text


def html_table(rows: Sequence[Sequence]) -> str:
    """An HTML table; the first row is the header."""
    if not rows:
        return "<p>Nothing was held out to test on, so nothing was measured.</p>"
    head = "".join(f"<th>{escape(str(cell))}</th>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows[1:])
    return f"<div class='scroll'><table><tr>{head}</tr>{body}</table></div>"


def html_figures(run: Run, captions: Mapping[str, str]) -> str:
    """Every figure with its caption, that of `captions` where there is one, in the order of CAPTIONS; the small ones side by side."""
    order = list(CAPTIONS)

    def caption_key(stem: str) -> str:
        return next((name for name in order if stem.startswith(name)), "")

    stems = [name.removesuffix(".png") for name in run.folder.names("figures") if name.endswith(".png")]
    stems.sort(key=lambda stem: (order.index(caption_key(stem)) if caption_key(stem) else -1, stem))
    figures = []
    for stem in stems:
        content = run.folder.read(f"figures/{stem}.png") or b""
        caption = captions.get(stem) or CAPTIONS.get(caption_key(stem), stem.replace("-", " "))
        if caption_key(stem) == "wrong-pseudo-labels":
            caption = f"Round {stem.rpartition('-')[2]}. {caption}"
        figures.append((caption_key(stem), html_figure(stem, content, caption)))
    wide = "".join(html for name, html in figures if name in WIDE_FIGURES)
    small = "".join(html for name, html in figures if name not in WIDE_FIGURES)
    return (f"<h2>Figures</h2>{wide}<div class='sheet'>{small}</div>") if figures else ""


def html_figure(stem: str, content: bytes, caption: str) -> str:
    """A figure, never wider than drawn nor so narrow that its letters cannot be read: it scrolls instead. It leads to its file."""
    width = int.from_bytes(content[16:20], "big")  # of a PNG
    style = f"max-width:{width}px;min-width:{round(READABLE_SCALE * width)}px"
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    image = f"<img alt='{escape(stem)}' style='{style}' src='{source}'>"
    return (
        f"<figure><div class='scroll'><a href='figures/{escape(quote(stem))}.png'>{image}</a></div>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def html_compute(run: Run) -> str:
    if (report := run.read_struct("compute", ComputeReport)) is None:
        return ""
    compute = Compute(report.flops, report.seconds, report.price_per_hour)
    return f"<h2>Compute</h2><p>{escape(str(compute))}. Operations of convolutions and matrix products, the backward pass counted twice the forward pass.</p>"


def _percent(share: str) -> str:
    return "-" if share in ("", "nan") else f"{float(share):.1%}"
