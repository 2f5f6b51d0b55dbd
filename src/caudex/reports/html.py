"""report.html: one file that needs nothing beside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

from caudex.core.compute import Compute
from caudex.core.specs import ImageSpec
from caudex.core.system import open_run
from caudex.reports import figures
from caudex.reports.tables import SPREAD, claim_table, finished
from caudex.systems.shared import found

CAPTIONS = {
    "labels-saved": "Accuracy against labels, a line for each method, with 95% intervals over draws of labels (of two draws: the draws). "
    "Black: labels alone. Dotted: a signal beside the labels.",
    "order": "What the frozen features of each signal are worth to a linear probe, beside a random trunk; the line: "
    "a network taught by all labels. Intervals are those of the test images; one seed.",
    "made": "What the signal makes of images: of held-out ones, where some are held out.",
    "stages": "An episode of each stage of learning, from its beginning to its end; under each image how far it was, at the left what became of it.",
    "next-frames": "What was seen, what was predicted, what came, and where they differ; videos that it did not learn from.",
    "nearest": "Each row: an image, and those whose features are nearest to its own.",
    "map": "The features of the test images laid out on a plane by t-SNE; the classes only colour it.",
    "learning-curves": "Learning curves. Test accuracy is drawn for the reader; nothing is chosen by it. Dotted: the loss of one who learned nothing.",
    "corruptions": "Accuracy on corrupted test images, from light (1) to severe (5).",
    "confusion": "Confusion matrix: how many images of each true class (row) were told to be which (column).",
    "most-sure": "Test images that the model is most sure of.",
    "least-sure": "Test images that it is least sure of.",
    "sure-and-wrong": "Wrong, the surest first. Above each: what it is told to be and how surely, then what its label says. Some labels may be wrong.",
    "wrong-pseudo-labels": "Wrong pseudo-labels, the surest first, as the teacher of this round gave them.",
    "word-by-word": "What the network thinks of texts that were held out, as it reads on; above each, what its label says.",
    "over": "The claim for each value of the setting, with 95% intervals over seeds.",
}
WIDE = (
    "labels-saved",
    "order",
    "made",
    "stages",
    "next-frames",
    "nearest",
    "learning-curves",
    "corruptions",
    "word-by-word",
    "",
)
ROUNDS = {
    "learned": "pseudo-labels learned",
    "distinct": "images behind them",
    "right": "right, where known",
    "student": "its student's accuracy",
}

STYLE = """
:root{color-scheme:light}body{font:16px/1.5 system-ui,sans-serif;color:#1d2733;background:#fff;margin:0 auto;padding:1.2rem;max-width:70rem}
h1{font-size:1.6rem;margin:.2rem 0}h2{font-size:1.15rem;margin:2rem 0 .6rem;border-bottom:1px solid #d8dee6;padding-bottom:.2rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #e7ebf0;vertical-align:top}
figure{margin:1rem 0}img{max-width:min(100%,50rem);height:auto;display:block}figcaption{color:#56636f;font-size:.88rem;max-width:46rem}
pre{white-space:pre-wrap;background:#f6f8fa;padding:.8rem;font-size:.85rem}
.note{background:#fff4d6;border-left:4px solid #e0a100;padding:.5rem .8rem;margin:.6rem 0}.shown{color:#0a6b35}.not{color:#8a1f11}
.sheet{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:0 1.5rem}footer{color:#56636f;font-size:.85rem;margin-top:2rem}
"""


def write_report(path: str | Path) -> Path:
    """Draw what can be drawn of a run folder and write its report.html; returns that file."""
    system, run = open_run(path)
    claim, results, spec = run.read_json("claim"), run.read_json("results", {}), run.read_spec(system.spec_type)
    figures.learning_curves(run)
    figures.corruptions(run)
    name, kind = run.settings()["system"], type(system)
    parts = [f"<h1>{escape(name)}</h1><p>{escape((kind.__doc__ or '').strip().splitlines()[0])}</p>"]
    if isinstance(spec, ImageSpec) and spec.counts:
        classes = f": {', '.join(spec.classes)}" if spec.classes else ""
        parts.append(f"<p>{escape(found(spec) + classes)}.</p>")
    if claim:
        word, kind_of = ("shown", "shown") if claim["shown"] else ("not shown", "not")
        about = f"{len(claim['seeds'])} seeds, scale {claim['scale']}. <code>{escape(claim['command'])}</code>"
        parts.append(f"<h2>The claim is <span class='{kind_of}'>{word}</span></h2>")
        parts.append(f"<p>{escape(claim['statement'])}: {about}</p>" + rows(claim_table(claim)))
        parts.append(f"<p>{SPREAD}</p>")
        if "over" in claim:
            figures.over(run, claim, system.measure)
    if results:
        parts += [f"<div class='note'>{escape(line)}</div>" for line in system.warn(results)]
        parts.append("<h2>Results</h2>" + rows(system.result_rows(results)))
        parts.append(f"<p>{escape(system.legend)}</p>" if system.legend else "")
    if not finished(run):
        way = f"<code>caudex resume {escape(str(path))}</code> goes on with it."
        parts.append(f"<div class='note'>This training is not finished; {way}</div>")
    parts.append(images(run.path / "figures"))
    if (samples := run.path / "samples.txt").exists():
        parts.append(f"<h2>Samples, as they came</h2><pre>{escape(samples.read_text())}</pre>")
    if rounds := figures.table(run.path / "tables" / "rounds.csv"):
        shares = ("right", "student")
        said = [tuple(_percent(v) if name in shares else v for name, v in row.items()) for row in rounds]
        parts.append("<h2>Rounds</h2>" + rows([tuple(ROUNDS.get(name, name) for name in rounds[0]), *said]))
    if layers := figures.table(run.path / "tables" / "layers.csv"):
        said = [(row.pop("layer"), *map(_percent, row.values())) for row in layers]
        header = ("layer", "linear probe", "20 neighbours", "linear, held-out labels", "linear, random trunk")
        parts.append("<h2>What each layer is worth</h2>" + rows([header, *said]))
    if skipped := figures.table(run.path / "tables" / "skipped.csv"):
        parts.append(
            f"<h2>Left out: {len(skipped)}</h2>"
            + rows([("file", "reason"), *((r["file"], r["reason"]) for r in skipped[:50])])
        )
    parts.append(account(run))
    settings = {name: "-" if value in (None, []) else value for name, value in run.settings()["settings"].items()}
    parts.append("<h2>Settings</h2>" + rows([("setting", "value"), *settings.items()]))
    body = "\n".join(parts)
    title = escape(f"{name}: {run.path.name}")
    head = "<meta charset='utf-8'><meta name='viewport' content='width=device-width,initial-scale=1'>"
    foot = f"<footer>{escape(run.path.name)}, made by caudex</footer>"
    page = f"<html lang='en'>{head}<title>{title}</title><style>{STYLE}</style><body>{body}{foot}</body></html>"
    run.write("report.html", "<!doctype html>" + page)
    return run.path / "report.html"


def rows(table: Sequence[Sequence]) -> str:
    """An HTML table; the first row is the header."""
    if not table:
        return "<p>Nothing was held out to test on, so nothing was measured.</p>"
    head = "".join(f"<th>{escape(str(cell))}</th>" for cell in table[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in table[1:])
    return f"<div class='scroll'><table><tr>{head}</tr>{body}</table></div>"


def images(folder: Path) -> str:
    """Every figure with its caption, in the captions' order; the small ones side by side."""
    order = list(CAPTIONS)

    def kind(file: Path) -> str:
        return next((name for name in order if file.stem.startswith(name)), "")

    files = sorted(folder.glob("*.png"), key=lambda file: (order.index(kind(file)) if kind(file) else -1, file.stem))
    shown = []
    for file in files:
        content = base64.b64encode(file.read_bytes()).decode()
        caption = CAPTIONS.get(kind(file), file.stem.replace("-", " "))
        if kind(file) == "wrong-pseudo-labels":
            caption = f"Round {file.stem.rsplit('-', 1)[1]}. {caption}"
        shown.append(
            (
                kind(file),
                f"<figure><img alt='{escape(file.stem)}' src='data:image/png;base64,{content}'><figcaption>{escape(caption)}</figcaption></figure>",
            )
        )
    wide = "".join(html for name, html in shown if name in WIDE)
    small = "".join(html for name, html in shown if name not in WIDE)
    return (f"<h2>Figures</h2>{wide}<div class='sheet'>{small}</div>") if shown else ""


def account(run) -> str:
    kept = run.read_json("compute")
    if not kept:
        return ""
    compute = Compute(kept["flops"], kept["seconds"], kept["price_per_hour"])
    return f"<h2>Compute</h2><p>{escape(str(compute))}. Operations of convolutions and matrix products, the backward pass counted twice the forward pass.</p>"


def _percent(share: str) -> str:
    return "-" if share in ("", "nan") else f"{float(share):.1%}"
