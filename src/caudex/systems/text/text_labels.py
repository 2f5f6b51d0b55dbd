"""text-labels: what kind of text is it? Few labels, a trunk that has read before, and words counted beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import ClassVar

import torch
from torch import Tensor
from torch.optim import AdamW

from caudex import data, signals
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.hardware import launch_fabric
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import TextSpec
from caudex.core.system import System, load
from caudex.core.weights import load_weights
from caudex.data import LabelledTexts, TextBatches, Tokenizer, encode_texts
from caudex.data.text.text_splits import split_texts
from caudex.evaluation import result_kinds, text_result_kinds
from caudex.evaluation.baselines.sklearn import predict_by_tfidf
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import (
    MAJORITY,
    accuracy_with_interval,
    classification_rows,
    evaluate_predictions,
    majority_warning,
)
from caudex.evaluation.plots.word_by_word import plot_word_by_word
from caudex.evaluation.text_probing import text_probe_accuracy
from caudex.evaluation.verdicts import format_gain, paired_gain, with_verdicts
from caudex.models.language_model import LanguageModel
from caudex.models.text_classifier import TextClassifier
from caudex.systems.text.shared import check_heads
from caudex.trunks import GPT2_LAYOUT, Transformer


@dataclass
class TextLabels(System):
    """Labelled texts: go on with a trunk that has read other texts (`--from RUN`, of gpt or bert) to tell their classes.

    Beside it the same network from scratch, and TF-IDF with logistic regression, which is strong where labels are many.
    """

    data: str = "films"
    """films, products, editorials, tweets, topics, spam, brown; a .csv or .jsonl; or a folder with one folder a class"""
    text: str = "text"
    """column of the texts"""
    label: str = "label"
    """column of their classes"""
    second: str | None = None
    """column of a second text, where pairs are to be told"""
    labels_per_class: int = 0
    """labels to keep of each class; 0 keeps all"""
    test_on: tuple[str, ...] = ()
    """further sets of the same classes to test on, for example products"""
    start: str | None = None
    """the run to begin with, one of gpt or bert; also written --from"""
    steps: int = 400
    """of the fine-tuning, and of the network from scratch"""
    batch: int = 32
    """texts a step"""
    lr: float = 5e-4
    """learning rate from scratch"""
    fine_tuning_lr: float | None = None
    """learning rate with --from; default: 0.04 over the trunk's width"""
    decay: float = 0.01
    """weight decay"""
    dropout: float = 0.1
    """share of the numbers left out while learning"""
    context: int = 128
    """tokens that are seen of a text, without --from; with it, as there"""
    depth: int = 4
    """blocks, without --from"""
    width: int = 128
    """numbers that stand for a token, without --from"""
    heads: int = 4
    """of the attention, without --from"""

    spec_type: ClassVar = TextSpec
    scales: ClassVar = {"tiny": {"steps": 20, "width": 32, "depth": 2, "context": 32}}
    measure: ClassVar = "test accuracy"
    statement: ClassVar = "a trunk that has read before makes more of few labels than one that has not"

    def train(self, run: Run) -> TextClassifier:
        start = self.load_start(run)
        train, test, spec = self.load_split(run, start)
        run.write_spec(spec)
        context = spec.trunk["context"]
        tokens = encode_texts(Tokenizer.from_config(spec.tokenizer), train.texts, train.text_pairs, context)
        longer = sum(len(row) >= context for row, _ in tokens)
        truncated = f"; of {longer:,} longer than {context} tokens the beginning counts" if longer else ""
        print_once(
            run, f"{len(spec.classes)} classes; {len(train):,} labelled texts, {len(test):,} held out{truncated}"
        )
        classifiers = {"from scratch": self.fit_classifier(run.stage("scratch"), tokens, train.labels, spec)}
        if start:
            tuned = self.fit_classifier(run.stage("fine-tuned"), tokens, train.labels, spec, start)
            classifiers = {"fine-tuned": tuned, **classifiers}
        sets = {"": test} | {f", on {name}": self.load_other_test(name, train) for name in self.test_on}
        results: dict = {"labels": len(train)}
        for suffix, texts in sets.items():
            with run.counting(*classifiers.values()):
                predictions = {
                    name: classifier.probabilities(texts.texts, texts.text_pairs).argmax(1)
                    for name, classifier in classifiers.items()
                }
                frozen = text_probe_accuracy(start, train, texts) if start else None
            predictions["words counted"] = predict_by_tfidf(train, texts)
            for name, predicted in predictions.items():
                results[name + suffix] = evaluate_predictions(texts.labels, predicted, texts.classes)
            if frozen is not None:
                results["frozen trunk, logistic regression" + suffix] = accuracy_with_interval(frozen, len(texts))
            correct, *others = [(predicted == texts.labels).tolist() for predicted in predictions.values()]
            for name, gain in zip(
                list(predictions)[1:], with_verdicts([paired_gain(correct, other) for other in others])
            ):
                results[f"gain over {name}{suffix}"] = gain.to_json()
        run.write_json("results", results)
        classifier = next(iter(classifiers.values()))
        self.plot_samples(run, classifier, test)
        return classifier

    def load_start(self, run: Run) -> LanguageModel | None:
        """The model of `--from`, on the device of the run."""
        model = load(self.start) if self.start else None
        if model and not isinstance(model, LanguageModel):
            raise CaudexError(f"--from {self.start} holds no trunk for texts; give a run of gpt or bert.")
        return model and model.to(launch_fabric(run.hardware).device)

    def load_split(self, run: Run, start: LanguageModel | None) -> tuple[LabelledTexts, LabelledTexts, TextSpec]:
        """Texts to learn from and to test on, and the spec of the model."""
        texts = self.load_texts(self.data)
        train, test, notes = split_texts(texts, self.labels_per_class, self.seed)
        run.table("skipped", [{"file": file, "reason": reason} for file, reason in texts.skipped])
        for note in notes:
            print_once(run, note)
        if start:
            trunk, tokenizer = start.trunk_config | {"dropout": self.dropout, "mean_pooling": True}, start.tokenizer
        else:
            tokenizer = Tokenizer.train("bpe", list(enumerate(train.texts)), 4096)
            sizes = {name: getattr(self, name) for name in ("context", "depth", "width", "heads", "dropout")}
            trunk = GPT2_LAYOUT | sizes | {"vocabulary": tokenizer.vocab_size, "mean_pooling": True}
        return train, test, TextSpec(trunk, tokenizer.config, classes=train.classes)

    def load_other_test(self, name: str, train: LabelledTexts) -> LabelledTexts:
        """Texts of another set, without those that were learned from."""
        texts = self.load_texts(name)
        if texts.classes != train.classes:
            raise CaudexError(
                f"--test-on {name} has the classes {', '.join(texts.classes)}, not {', '.join(train.classes)}."
            )
        return texts.select(~texts.stands_in(train))

    def load_texts(self, name: str) -> LabelledTexts:
        return data.load_labelled_texts(name, self.text, self.label, self.second)

    def fit_classifier(
        self, run: Run, tokens: list, labels: Tensor, spec: TextSpec, start: LanguageModel | None = None
    ) -> TextClassifier:
        with run.seeded("weights"):
            learner = self.learner(spec, (self.fine_tuning_lr or 0.04 / start.trunk.width) if start else self.lr)
        if start:
            load_weights(learner.trunk, start.trunk.state_dict())
        source = TextBatches(tokens, labels, self.batch, run.seed)
        share = 0.5 if self.start else 1.0
        return TextClassifier(fit(learner, {"labels": source}, **self.budget(share), run=run), spec)

    def learner(self, spec: TextSpec, lr: float) -> Learner:
        optimizer = partial(AdamW, lr=lr, weight_decay=self.decay, fused=True)
        labels = {"labels": signals.Labels(len(spec.classes))}
        return Learner(Transformer(**spec.trunk), labels, optimizer, partial(cosine_schedule, warmup=0.1))

    def model(self, spec: TextSpec) -> TextClassifier:
        return TextClassifier(self.learner(spec, self.lr), spec)

    def plot_samples(self, run: Run, classifier: TextClassifier, test: LabelledTexts, max_texts: int = 4) -> None:
        """The probabilities of the classes as the network reads on, for a few short texts of each class in turn."""
        short = [i for i in range(len(test)) if 8 <= len(test.texts[i].split()) <= 25]
        by_class = [[i for i in short if test.labels[i] == k] for k in range(len(test.classes))]
        rows = [i for turn in zip_longest(*by_class) for i in turn if i is not None][:max_texts]
        if test.text_pairs or not rows:
            return
        plot_word_by_word(run, classifier, test.select(torch.tensor(rows)))

    def kinds_of_results(self) -> tuple:
        return (result_kinds.ImageResults, text_result_kinds.TextLabelsResults)

    def result_rows(self, results: dict) -> list[tuple]:
        return classification_rows(results)

    def warn(self, results: dict) -> list[str]:
        name = "fine-tuned" if "fine-tuned" in results else "from scratch"
        warnings = majority_warning(f"the network, {name},", results[name])
        gain = results["gain over words counted"]
        if gain["gain"] < 0:
            verdict = "does better here" if gain["verdict"] == "worse" else "may well do better here"
            warnings.append(
                f"counting words (TF-IDF with logistic regression) {verdict} ({format_gain(gain, '.1%')}); take that, or try more "
                "--steps."
            )
        return warnings

    def claim(self, run: Run) -> Claim:
        if not self.start:
            raise CaudexError(
                "--from is missing: say which run has read before, as in `caudex claim text-labels --from RUN`."
            )
        self.train(run)
        results = run.read_json("results")
        accuracies = {
            name: row["accuracy"]
            for name, row in results.items()
            if "accuracy" in (row if isinstance(row, dict) else ())
        }
        fine_tuned = accuracies.pop("fine-tuned")
        baselines = {name: accuracies.pop(name) for name in ("from scratch", "words counted")}
        controls = {MAJORITY: results["fine-tuned"]["majority"]["accuracy"]}
        return Claim(self.statement, fine_tuned, baselines, accuracies, controls)

    def check(self) -> None:
        super().check()
        endless = float("inf")
        check_range(self, labels_per_class=(0, endless), batch=(2, endless), lr=(1e-8, 10), fine_tuning_lr=(1e-8, 10))
        check_range(self, decay=(0, 10), dropout=(0, 0.9), context=(8, endless), depth=(1, 1000), width=(8, 100_000))
        check_range(self, heads=(1, self.width))
        check_heads(self.width, self.heads)
