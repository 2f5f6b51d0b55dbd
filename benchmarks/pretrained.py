"""The two sets of colour images on which methods on a pretrained trunk are compared, and what the baselines' settings gain.

    python benchmarks/pretrained.py make photos /usr/share/tuxpaint/stamps     # Debian's tuxpaint-stamps-default
    python benchmarks/pretrained.py make emoji package                         # npm's emoji-datasource-google, unpacked
    python benchmarks/pretrained.py tune photos                                # draws 100 to 102; a minute once the images are encoded
    python benchmarks/pretrained.py shrink photos32 photos                     # four classes, 32 pixels; the same of emoji
    python benchmarks/pretrained.py heads photos emoji photos32 emoji32        # draws 0 to 19; results/pretrained-heads.csv
    caudex labels-saved --data photos --label-counts 1 5 10 20 ...             # the comparison; docs/pretrained.md has the command

`heads` measures what learns on the frozen features alone, each draw with a test of its own and with the defaults of each method. Rows
of other sets stay in the table.

`make` writes SET/CLASS/*.png: photos at most 256 pixels wide and high, on white, doubles left out. The comparison draws with the seeds 0 to
4, so that nothing is chosen on what is reported.
"""

import argparse
import csv
import itertools
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading

from caudex.core.run import Run
from caudex.core.system import System
from caudex.data import Split
from caudex.evaluation.intervals import t_interval
from caudex.evaluation.verdicts import paired_gain
from caudex.systems.few_labels.supervised import Supervised
from caudex.systems.studies.methods import (
    LOGISTIC_REGRESSION,
    Method,
    baseline_accuracy,
    baseline_features,
    methods_on_features,
)

PHOTO_CLASSES = ("animals", "food", "plants", "town", "vehicles")
SMALL_PHOTOS, SMALL_EMOJI = PHOTO_CLASSES[:4], ("Animals-Nature", "Food-Drink", "Objects", "Travel-Places")
HEADS_FILE = Path(__file__).parents[1] / "results" / "pretrained-heads.csv"
HEADS_COLUMNS = ("set", "labels", "method", "accuracy", "low", "high", "gain", "gain low", "gain high", "verdict")
LABELS, DRAWS = (1, 5, 10, 20), (100, 101, 102)


def make(target: Path, package: Path) -> None:
    if (package / "emoji.json").exists():
        emoji = json.loads((package / "emoji.json").read_text())
        kept = [entry for entry in emoji if entry["category"] != "Component"]
        folder = next((package / "img").iterdir()) / "64"
        files = [(entry["category"].replace(" & ", "-"), folder / entry["image"]) for entry in kept]
    else:
        files = [(name, path) for name in PHOTO_CLASSES for path in sorted((package / name).rglob("*.png"))]
        files = [(name, path) for name, path in files if "_mirror" not in path.name]
    for number, (name, path) in enumerate(files):
        if path.exists():
            image = Image.open(path).convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
            image.thumbnail((256, 256))
            (target / name).mkdir(parents=True, exist_ok=True)
            image.save(target / name / f"{number:04}.png")


def shrink(target: Path, source: Path) -> None:
    """Four classes at 32 pixels: photos as JPEG, emoji as PNG."""
    are_photos = (source / SMALL_PHOTOS[0]).exists()
    for name in SMALL_PHOTOS if are_photos else SMALL_EMOJI:
        (target / name).mkdir(parents=True, exist_ok=True)
        for path in sorted((source / name).iterdir()):
            small = Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)
            small.save((target / name / path.name).with_suffix(".jpg" if are_photos else ".png"), quality=90)


def tune(data: Path) -> None:
    models: dict = {f"logistic regression, C {c:g}": LogisticRegression(C=c, max_iter=1000) for c in (0.01, 0.1, 1, 10)}
    for neighbours, alpha in itertools.product((7, 10, 15), (0.05, 0.2, 0.5)):
        name = f"label spreading, {neighbours} neighbours, alpha {alpha}"
        models[name] = LabelSpreading(kernel="knn", n_neighbors=neighbours, alpha=alpha, max_iter=100)
    rows = {name: [] for name in models}
    for labels in LABELS:
        scores = {name: [] for name in models}
        for draw in DRAWS:
            system: System = Supervised(data=str(data), seed=draw, labels_per_class=labels).resolve()
            split = system.load_split()
            known, test = baseline_features(Method(system, ""), split)
            targets = torch.cat([split.labelled.labels, torch.full((len(split.unlabelled),), -1)])
            for name, model in models.items():
                is_used = targets >= 0 if name.startswith("logistic") else targets >= -1
                model.fit(known[is_used], targets[is_used])
                scores[name].append(model.score(test, split.test.labels))
        for name, values in scores.items():
            rows[name].append(100 * sum(values) / len(values))
    print("labels of each class:", *LABELS)
    for name, values in rows.items():
        print(f"{name:45}", *(f"{value:5.1f}" for value in values), f"  mean {sum(values) / len(values):.1f}")


def heads(sets: list[Path]) -> None:
    names = {data.name for data in sets}
    with HEADS_FILE.open() as file:
        rows = [tuple(row) for row in csv.reader(file) if row[0] not in names][1:]
    for data in sets:
        settings = Supervised(data=str(data)).resolve()
        for labels in LABELS:
            scores: dict[str, list[float]] = {}
            for draw in range(20):
                for name, method in methods_on_features(
                    replace(settings, seed=draw, labels_per_class=labels), 0
                ).items():
                    split = method.system.load_split()
                    scores.setdefault(name, []).append(accuracy(method, split, draw))
            reference = scores[LOGISTIC_REGRESSION]
            for name, values in scores.items():
                mean, low, high = t_interval(values)
                gain = paired_gain(values, reference).to_json() if name != LOGISTIC_REGRESSION else {}
                figures = [mean, low, high, *(gain.get(part) or 0 for part in ("gain", "low", "high"))]
                rows.append((data.name, labels, name, *(f"{value:.4f}" for value in figures), gain.get("verdict", "")))
                print(*rows[-1], flush=True)
    with HEADS_FILE.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADS_COLUMNS, *rows])


def accuracy(method: Method, split: Split, draw: int) -> float:
    if method.baseline:
        return baseline_accuracy(method, split)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(folder, draw)
        run.quiet = True
        return method.system.train_classifier(run, split).accuracy(split.test)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("make", "shrink", "tune", "heads"))
    parser.add_argument("folders", type=Path, nargs="+", help="what to write and from what; or the sets to measure")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.action == "heads":
        heads(arguments.folders)
    else:
        {"make": make, "shrink": shrink, "tune": tune}[arguments.action](*arguments.folders)


if __name__ == "__main__":
    main()
