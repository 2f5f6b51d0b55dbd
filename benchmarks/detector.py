"""Whether generated text can be told from real text, by the size of the model that wrote it; results/detector.csv.

    python benchmarks/detector.py SMOLLM2 GPT GPT ...    # runs; the first one's features are one of the detectors

Of 120 articles of `topics` (BBC news) the first 40 words are a prompt. Real is what follows it, generated is what the model goes on with
(temperature 1, top-p 0.95), both cut to 40 words, without the prompt. The detectors learn from 60 articles and are tested on the other 60, of
five divisions: logistic regression on words counted, on MiniLM's features, and on the first run's (the last token of `{text}\\nWritten by:`).
"""

import csv
import sys
from pathlib import Path

import torch

from caudex.core.system import load
from caudex.data import LabelledTexts, load_labelled_texts
from caudex.data.stratified import seeded_permutation
from caudex.evaluation.baselines.sklearn import predict_by_tfidf
from caudex.evaluation.intervals import t_interval
from caudex.evaluation.text_probing import fit_logistic_regression
from caudex.models.causal_lm import CausalLM
from caudex.models.passage_index import load_encoder
from caudex.models.text_features import TextEncoder
from caudex.systems.studies.text_methods import standardise

FILE = Path(__file__).parents[1] / "results" / "detector.csv"
COLUMNS = ("run", "parameters", "detector", "accuracy", "low", "high")
ARTICLES, WORDS, MAX_TOKENS, DIVISIONS = 120, 40, 90, range(5)
PROMPT = "{text}\nWritten by:"


def real_texts() -> list[tuple[str, str]]:
    """(prompt, what follows) of each article."""
    articles = load_labelled_texts("topics")
    texts = []
    for row in seeded_permutation(len(articles), 0, "detector").tolist():
        words = articles.texts[row].split()
        if len(words) >= 2 * WORDS:
            texts.append((" ".join(words[:WORDS]), " ".join(words[WORDS : 2 * WORDS])))
    return texts[:ARTICLES]


def go_on(model: CausalLM, prompt: str, seed: int) -> str:
    text = ""
    for (part,) in model.generate(prompt, MAX_TOKENS, temperature=1.0, top_p=0.95, seed=seed):
        text += part
        if len(text.split()) > WORDS:
            break
    return " ".join(text.split()[:WORDS])


def main() -> None:
    torch.set_num_threads(1)
    models = {name: load(name).eval() for name in sys.argv[1:]}
    encoders = {"MiniLM": TextEncoder(load_encoder(None))}
    first = next(iter(models))
    encoders[Path(first).name] = TextEncoder(models[first], PROMPT)
    pairs, rows = real_texts(), []
    for path, model in models.items():
        generated = [go_on(model, prompt, seed) for seed, (prompt, _) in enumerate(pairs)]
        kept = [i for i, text in enumerate(generated) if len(text.split()) >= WORDS // 2]
        labels = torch.tensor([0, 1]).repeat(len(kept))
        flat = [text for i in kept for text in (pairs[i][1], generated[i])]
        texts = LabelledTexts(flat, labels, ("real", "generated"))
        features = {name: standardise(encoder.encode(texts)) for name, encoder in encoders.items()}
        accuracies: dict[str, list[float]] = {name: [] for name in ("words counted", *features)}
        for division in DIVISIONS:
            order = seeded_permutation(len(kept), division, "detector, division")
            train, test = (torch.cat([2 * part, 2 * part + 1]) for part in order.chunk(2))
            right = predict_by_tfidf(texts.select(train), texts.select(test)) == labels[test]
            accuracies["words counted"].append(right.float().mean().item())
            for name, vectors in features.items():
                weight, bias = fit_logistic_regression(vectors[train], labels[train])
                predicted = torch.nn.functional.linear(vectors[test], weight, bias).argmax(1)
                accuracies[name].append((predicted == labels[test]).float().mean().item())
        size = sum(parameter.numel() for parameter in model.parameters())
        for name, values in accuracies.items():
            rows.append((Path(path).name, size, name, *(f"{value:.3f}" for value in t_interval(values))))
            print(*rows[-1], f"of {len(kept)} articles", flush=True)
        print(generated[:3], flush=True)
    with FILE.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()
