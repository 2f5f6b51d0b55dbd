"""What a public BERT saves in labels: frozen MiniLM with logistic regression against words counted; sentences of films.

    python benchmarks/public_labels.py        # a minute; writes results/text-public.csv

2,000 held-out sentences, 5 seeds, each with its own draw of labels; the numbers of `caudex import` and `text-labels`' row
"frozen trunk", without the fine-tuning.
"""

import csv
from pathlib import Path

import torch

from caudex import data
from caudex.claim import mean_interval
from caudex.data.splits import stratified
from caudex.peers import words_counted
from caudex.probing import linear
from caudex.searching import encoder

COUNTS, SEEDS, TESTED = (10, 100, 1000), 5, 1000


def main() -> None:
    model, whole = encoder(None)[0], data.labelled_texts("films")
    features = model.mean_features(whole.texts)
    rows = []
    for count in COUNTS:
        found: dict[str, list[float]] = {"frozen MiniLM": [], "words counted": []}
        for seed in range(SEEDS):
            held = stratified(whole.labels, [TESTED] * 2, seed, "test")
            rest = torch.ones(len(whole), dtype=torch.bool)
            rest[held] = False
            free = rest.nonzero().flatten()
            few = free[stratified(whole.labels[free], [count] * 2, seed, "labels")]
            labels = whole.labels
            found["frozen MiniLM"].append(linear(features[few], labels[few], features[held], labels[held]))
            found["words counted"].append(words_counted(whole.take(few), whole.take(held)))
        gains = [one - other for one, other in zip(*found.values())]
        for name, values in {**found, "gain": gains}.items():
            mean, low, high = mean_interval(values)
            rows.append((count, name, round(mean, 4), round(low, 4), round(high, 4)))
            print(*rows[-1], flush=True)
    with Path("results/text-public.csv").open("w", newline="") as file:
        header = ("labels of each class", "what", "mean", "low", "high")
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
