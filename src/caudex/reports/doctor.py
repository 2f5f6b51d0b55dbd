"""The page of the command doctor."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from caudex.core.errors import counted
from caudex.core.run import Run
from caudex.data import ImageSet
from caudex.evaluation.doctor import Examination
from caudex.evaluation.plots.image_tiles import plot_image_tiles
from caudex.reports.html import html_figure, html_table, write_page

MAX_ROWS = 50
"""findings of a kind in a table; labels.csv has all"""
COLUMNS = 8
"""of images; two of them are a pair"""
CAPTIONS = {
    "probably wrong labels": "The least likely labels first. Above each: its label, then the class that is likelier.",
    "in training and in the test": "Pairs: the image to train on, then that of the test.",
    "twice with other labels": "Pairs of nearly equal images, with their labels.",
    "twice": "Pairs of nearly equal images.",
    "unlike all labelled images": "The farthest first.",
}


def write_doctor_page(
    run: Run,
    images: ImageSet,
    examination: Examination,
    skipped: Sequence[tuple[str, str]],
    sentences: Sequence[str],
    max_tiles: int,
) -> None:
    """report.html: each kind of finding with its first images and a table."""
    labelled = int(images.is_labelled.sum())
    parts = [f"<h1>doctor</h1><p>{counted(len(images), 'image')}, {labelled:,} labelled.</p>"]
    parts += [f"<div class='note'>{escape(sentence)}</div>" for sentence in sentences]
    for kind, findings in examination.findings.items():
        rows, captions = [], []
        for finding in findings[:max_tiles]:
            pair = [finding.row] if finding.other is None else [finding.row, finding.other]
            rows += pair
            captions += [f"{caption(images, row)}\n{finding.suggestion[:14]}" for row in pair]
        stem = kind.replace(" ", "-")
        plot_image_tiles(run, stem, images.fetch(rows), min(COLUMNS, len(rows)), captions)
        content = run.folder.read(f"figures/{stem}.png") or b""
        parts.append(f"<h2>{escape(kind)}: {len(findings):,}</h2>" + html_figure(stem, content, CAPTIONS[kind]))
        cells = [(images.name(f.row), caption(images, f.row), f.reason) for f in findings[:MAX_ROWS]]
        parts.append(html_table([("file", "label", "reason"), *cells]))
    if skipped:
        parts.append(
            f"<h2>cannot be read: {len(skipped):,}</h2>" + html_table([("file", "reason"), *skipped[:MAX_ROWS]])
        )
    if not examination.findings and not skipped:
        parts.append("<p>Nothing odd was found.</p>")
    write_page(run, f"doctor: {run.path.name}", parts)


def caption(images: ImageSet, row: int) -> str:
    """What the image is called now."""
    return images.classes[images.labels[row]][:14] if images.labels[row] >= 0 else "unlabelled"
