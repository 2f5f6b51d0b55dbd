"""The two sets of colour images on which methods on a pretrained trunk are compared, and what the baselines' settings gain.

    python benchmarks/pretrained.py make photos /usr/share/tuxpaint/stamps     # Debian's tuxpaint-stamps-default
    python benchmarks/pretrained.py make emoji package                         # npm's emoji-datasource-google, unpacked
    python benchmarks/pretrained.py tune photos                                # draws 100 to 102; a minute once the images are encoded
    caudex labels-saved --data photos --label-counts 1 5 10 20 ...             # the comparison; docs/pretrained.md has the command

`make` writes SET/CLASS/*.png: photos at most 256 pixels wide and high, on white, doubles left out. The comparison draws with the seeds 0 to
4, so that nothing is chosen on what is reported.
"""

import argparse
import itertools
import json
from pathlib import Path

import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading

from caudex.core.system import System
from caudex.systems.few_labels.supervised import Supervised
from caudex.systems.studies.methods import Method, baseline_features

PHOTO_CLASSES = ("animals", "food", "plants", "town", "vehicles")
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("make", "tune"))
    parser.add_argument("set", type=Path)
    parser.add_argument("package", type=Path, nargs="?")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.action == "make":
        make(arguments.set, arguments.package)
    else:
        tune(arguments.set)


if __name__ == "__main__":
    main()
