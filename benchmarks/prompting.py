"""What language models answer by their prompt alone, by their size, and what calibration is worth.

    python benchmarks/prompting.py RUN RUN ...              # results/prompting.csv and docs/prompting.png; other runs' rows stay
    python benchmarks/prompting.py --calibrations RUN       # results/prompting-calibration.csv

Sentiment: snippets of film reviews (`films`) that the mean of some 20 raters puts beyond 1.5 of 4, 200 positive and 200 negative,
drawn with one seed. Winograd: the 60 packaged schemas, partial score. Questions: the 44 packaged ones after three examples.
`--calibrations`: the same snippets, and of these 200 in which a fifth or four fifths are positive, by prompt and calibration;
thresholds are fitted on 40 others of the same balance, five draws; examples are drawn five times. Prompts and calibrations were chosen on `products`.
"""

import csv
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from caudex.core.system import load
from caudex.data import corpus_folder
from caudex.data.stratified import stratified_sample
from caudex.data.text.labelled_texts import LabelledTexts
from caudex.evaluation.intervals import wilson_interval
from caudex.models.causal_lm import CausalLM
from caudex.models.prompting.calibration import (
    EMPTY_TEXTS,
    empty_calibration,
    median_calibration,
    no_calibration,
    threshold_calibration,
)
from caudex.models.prompting.classification import class_log_likelihoods, classify, draw_shots
from caudex.models.prompting.packaged_questions import QUESTIONS
from caudex.models.prompting.prompts import SENTIMENT_EXAMPLES, ClassificationPrompt
from caudex.models.prompting.questions import answer_questions, is_correct_answer
from caudex.models.prompting.winograd import packaged_schemas, resolve_pronouns

ROOT = Path(__file__).parents[1]
COLUMNS = ("run", "parameters", "task", "right", "n", "accuracy", "low", "high", "chance")
CALIBRATION_COLUMNS = ("prompt", "positive", "n", "calibration", "accuracy", "answered positive", "AUC")
MIN_RATING, PER_CLASS, FITTING, DRAWS, SHOT_DRAWS = 1.5, 200, 40, 5, 5
CHANCE = {"sentiment": 0.5, "winograd": 0.5, "questions": 0.0}
BALANCES = {"0.5": (200, 200), "0.2": (40, 160), "0.8": (160, 40)}  # share of positive ones: positive, negative


def film_snippets() -> tuple[LabelledTexts, LabelledTexts]:
    """(tested ones, others); class 0 is positive."""
    (file,) = corpus_folder("films").glob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows = [row for row in rows if abs(row["rating"]) > MIN_RATING]
    labels = torch.tensor([int(row["rating"] < 0) for row in rows])
    snippets = LabelledTexts([row["text"] for row in rows], labels, ("positive", "negative"))
    tested = stratified_sample(labels, [PER_CLASS] * 2, 0, "test")
    is_other = torch.ones(len(labels), dtype=torch.bool)
    is_other[tested] = False
    return snippets.select(tested), snippets.select(is_other.nonzero().flatten())


def answers(model: CausalLM) -> dict[str, list[bool]]:
    """Of each task, which answers are right."""
    tested, _ = film_snippets()
    predictions = classify(model, ClassificationPrompt(), tested.texts, progress="sentiment").probabilities[0].argmax(1)
    schemas = packaged_schemas()
    pronouns = resolve_pronouns(model, schemas, progress="winograd")
    lines = answer_questions(model, [question for question, _ in QUESTIONS], progress="questions")
    return {
        "sentiment": (predictions == tested.labels).tolist(),
        "winograd": [prediction.partial == schema.answer for schema, prediction in zip(schemas, pronouns)],
        "questions": [is_correct_answer(line.text, truth) for line, (_, truth) in zip(lines, QUESTIONS)],
    }


def measure_sizes(folders: list[str]) -> None:
    table = ROOT / "results" / "prompting.csv"
    names = [Path(folder).name for folder in folders]
    old_rows = list(csv.DictReader(table.open())) if table.exists() else []
    rows = [row for row in old_rows if row["run"] not in names]
    for name, folder in zip(names, folders):
        model = load(folder)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        for task, is_right in answers(model).items():
            share = sum(is_right) / len(is_right)
            figures = (f"{figure:.3f}" for figure in (share, *wilson_interval(share, len(is_right)), CHANCE[task]))
            row = (name, parameters, task, sum(is_right), len(is_right), *figures)
            rows.append(dict(zip(COLUMNS, row)))
            print(*row, sep=", ", flush=True)
    rows.sort(key=lambda row: int(row["parameters"]))
    write_table(table.name, COLUMNS, rows)
    plot_sizes(rows, ROOT / "docs" / "prompting.png")


def plot_sizes(rows: list[dict], file: Path) -> None:
    figure, axis = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
    for number, (task, chance) in enumerate(CHANCE.items()):
        of_task = [row for row in rows if row["task"] == task]
        sizes = [int(row["parameters"]) for row in of_task]
        shares, lows, highs = ([float(row[name]) for row in of_task] for name in ("accuracy", "low", "high"))
        errors = [
            [share - low for share, low in zip(shares, lows)],
            [high - share for share, high in zip(shares, highs)],
        ]
        axis.errorbar(sizes, shares, errors, label=task, marker="o", ms=4, capsize=2, color=f"C{number}")
        axis.axhline(chance, color=f"C{number}", ls=(4 * number, (4, 8)), lw=1)
    axis.set(xscale="log", xlabel="parameters", ylabel="share of right answers (dashed: chance)", ylim=(-0.02, 1.02))
    axis.legend()
    figure.savefig(file, dpi=120)


def measure_calibrations(folder: str) -> None:
    model = load(folder)
    tested, others = film_snippets()
    prompts = {"no examples": [ClassificationPrompt()], "4 packaged": [ClassificationPrompt(shots=SENTIMENT_EXAMPLES)]}
    prompts["4 drawn"] = [draw_shots(ClassificationPrompt(), others, 4, 0, draw)[0] for draw in range(SHOT_DRAWS)]
    fitting = others.select(stratified_sample(others.labels, [PER_CLASS] * 2, 0, "fitting"))
    rows = []
    for name, variants in prompts.items():
        scores = [class_log_likelihoods(model, prompt, tested.texts, name) for prompt in variants]
        empty = [class_log_likelihoods(model, prompt, EMPTY_TEXTS) for prompt in variants]
        fitting_scores = class_log_likelihoods(model, variants[0], fitting.texts, name) if len(variants) == 1 else None
        for balance, counts in BALANCES.items():
            part = stratified_sample(tested.labels, counts, 0, "balance")
            calibrations = {
                "none": [no_calibration(2)] * len(variants),
                "empty": [empty_calibration(log_likelihoods) for log_likelihoods in empty],
                "median": [median_calibration(log_likelihoods[part]) for log_likelihoods in scores],
            }
            if fitting_scores is not None:
                drawn = draw_fitting(fitting.labels, float(balance))
                calibrations["threshold"] = [threshold_calibration(fitting_scores[i], fitting.labels[i]) for i in drawn]
            for kind, calibration in calibrations.items():
                of_draws = scores if len(scores) > 1 else scores * len(calibration)
                positive = [c.probabilities(s[part])[:, 0] for c, s in zip(calibration, of_draws)]
                row = (name, balance, len(part), kind, *figures_of(positive, tested.labels[part]))
                rows.append(dict(zip(CALIBRATION_COLUMNS, row)))
                print(*row, sep=", ", flush=True)
    write_table("prompting-calibration.csv", CALIBRATION_COLUMNS, rows)


def draw_fitting(labels: Tensor, positive: float) -> list[Tensor]:
    """Rows to fit a threshold on, `DRAWS` times, with this share of positive ones."""
    counts = [round(FITTING * positive), FITTING - round(FITTING * positive)]
    return [stratified_sample(labels, counts, draw, "draw") for draw in range(DRAWS)]


def figures_of(positive: list[Tensor], labels: Tensor) -> tuple[str, str, str]:
    """Accuracy, share answered positive and AUC, the means of draws."""
    accuracy = [((draw > 0.5) == (labels == 0)).double().mean().item() for draw in positive]
    share = [(draw > 0.5).double().mean().item() for draw in positive]
    auc = [roc_auc_score((labels == 0).numpy(), draw.numpy()) for draw in positive]
    return tuple(f"{sum(values) / len(values):.3f}" for values in (accuracy, share, auc))


def write_table(name: str, columns: tuple[str, ...], rows: list[dict]) -> None:
    with (ROOT / "results" / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--calibrations"]:
        measure_calibrations(sys.argv[2])
    else:
        measure_sizes(sys.argv[1:])
