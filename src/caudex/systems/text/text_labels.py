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
from caudex.core.run import Run
from caudex.core.specs import TextSpec
from caudex.core.system import System, check_range, load
from caudex.core.weights import load_weights
from caudex.data import LabelledTexts, TextBatches, Tokenizer, encode_texts
from caudex.data.images.splits import stratified
from caudex.evaluation.baselines.sklearn import tfidf_accuracy
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import accuracy_with_interval
from caudex.evaluation.intervals import wilson_interval
from caudex.evaluation.plots.word_by_word import plot_word_by_word
from caudex.models.language_model import LanguageModel
from caudex.models.text_classifier import TextClassifier
from caudex.systems.text.shared import on_features
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
    fine_lr: float | None = None
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
    statement: ClassVar = "a trunk that has read before makes more of few labels than one that has not"

    def train(self, run: Run) -> TextClassifier:
        begun = self.begun(run)
        known, test, spec = self.texts(begun)
        run.write_spec(spec)
        rows = encode_texts(Tokenizer.from_config(spec.tokenizer), known.texts, known.text_pairs, spec.trunk["context"])
        cut = sum(len(tokens) >= spec.trunk["context"] for tokens, _ in rows)
        said = f"; of {cut:,} longer than {spec.trunk['context']} tokens the beginning counts" if cut else ""
        print_once(run, f"{len(spec.classes)} classes; {len(known):,} labelled texts, {len(test):,} held out{said}")
        learned = rows, known.labels, spec
        scratch = self.network(run.stage("scratch"), *learned)
        net = self.network(run.stage("fine-tuned"), *learned, begun) if begun else scratch
        rivals = {"fine-tuned": net, "from scratch": scratch} if begun else {"from scratch": scratch}
        sets = {"": test} | {name: self.other(name, spec) for name in self.test_on}
        results: dict = {"labels": len(known)}
        for name, texts in sets.items():
            with run.counting(*rivals.values()):
                found = {who: model.accuracy(texts) for who, model in rivals.items()}
                if begun:
                    found["frozen trunk, logistic regression"] = on_features(begun, known, texts)
            found["words counted"] = tfidf_accuracy(known, texts)
            on = f", on {name}" if name else ""
            results |= {who + on: accuracy_with_interval(accuracy, len(texts)) for who, accuracy in found.items()}
        run.write_json("results", results)
        self.draw(run, net, test)
        return net

    def begun(self, run: Run) -> LanguageModel | None:
        """What has read before, on the device of the run."""
        model = load(self.start) if self.start else None
        if model and not isinstance(model, LanguageModel):
            raise CaudexError(f"--from {self.start} holds no trunk for texts; give a run of gpt or bert.")
        return model and model.to(launch_fabric(run.hardware).device)

    def texts(self, begun: LanguageModel | None) -> tuple[LabelledTexts, LabelledTexts, TextSpec]:
        """What is learned from, what is tested on, and the spec of the model."""
        whole = data.load_labelled_texts(self.data, self.text, self.label, self.second)
        counts = torch.bincount(whole.labels, minlength=len(whole.classes))
        if counts.min() < 2:
            name = whole.classes[int(counts.argmin())]
            raise CaudexError(f"{self.data} has one text of class {name!r}; two are the least, one of them to test on.")
        held = stratified(whole.labels, (counts * 0.25).round().clamp(1, 1000).long().tolist(), self.seed, "test")
        rest = torch.ones(len(whole), dtype=torch.bool)
        rest[held] = False
        known, test = whole.take(rest), whole.take(held)
        if self.labels_per_class:
            wanted = [self.labels_per_class] * len(whole.classes)
            known = known.take(stratified(known.labels, wanted, self.seed, "labels"))
        if begun:
            trunk, tokenizer = begun.made | {"dropout": self.dropout, "mean": True}, begun.tokenizer
        else:
            tokenizer = Tokenizer.train("bpe", list(enumerate(known.texts)), 4096)
            sizes = {name: getattr(self, name) for name in ("context", "depth", "width", "heads", "dropout")}
            trunk = GPT2_LAYOUT | sizes | {"vocabulary": tokenizer.vocab_size, "mean": True}
        return known, test, TextSpec(trunk, tokenizer.config, classes=tuple(whole.classes))

    def other(self, name: str, spec: TextSpec) -> LabelledTexts:
        found = data.load_labelled_texts(name, self.text, self.label, self.second)
        if found.classes != spec.classes:
            raise CaudexError(
                f"--test-on {name} has the classes {', '.join(found.classes)}, not {', '.join(spec.classes)}."
            )
        return found

    def network(
        self, run: Run, rows: list, labels: Tensor, spec: TextSpec, begun: LanguageModel | None = None
    ) -> TextClassifier:
        with run.seeded("weights"):
            made = self.learner(spec, (self.fine_lr or 0.04 / begun.trunk.width) if begun else self.lr)
        if begun:
            load_weights(made.trunk, begun.trunk.state_dict())
        source = TextBatches(rows, labels, self.batch, run.seed)
        share = 0.5 if self.start else 1.0
        return TextClassifier(fit(made, {"labels": source}, **self.budget(share), run=run), spec)

    def learner(self, spec: TextSpec, lr: float) -> Learner:
        optimizer = partial(AdamW, lr=lr, weight_decay=self.decay, fused=True)
        labels = {"labels": signals.Labels(len(spec.classes))}
        return Learner(Transformer(**spec.trunk), labels, optimizer, partial(cosine_schedule, warmup=0.1))

    def model(self, spec: TextSpec) -> TextClassifier:
        return TextClassifier(self.learner(spec, self.lr), spec)

    def draw(self, run: Run, net: TextClassifier, test: LabelledTexts, most: int = 4) -> None:
        """What the network thinks of a few texts, of each class in turn, as it reads on, word by word."""
        short = [i for i in range(len(test)) if 8 <= len(test.texts[i].split()) <= 25]
        lines = [[i for i in short if test.labels[i] == k] for k in range(len(test.classes))]
        rows = [i for turn in zip_longest(*lines) for i in turn if i is not None][:most]
        if test.text_pairs or not rows:
            return
        plot_word_by_word(run, net, test.take(torch.tensor(rows)))

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [("", "accuracy", "95% interval")]
        for name, found in results.items():
            if isinstance(found, dict):
                low, high = wilson_interval(found["accuracy"], found["test_size"])
                rows.append((name, f"{found['accuracy']:.1%}", f"{low:.1%} to {high:.1%} of {found['test_size']:,}"))
        return rows

    def warn(self, results: dict) -> list[str]:
        own = results.get("fine-tuned", results["from scratch"])["accuracy"]
        if own < results["words counted"]["accuracy"]:
            return [
                "counting words (TF-IDF with logistic regression) does better here; take that, or try more --steps."
            ]
        return []

    def claim(self, run: Run) -> Claim:
        if not self.start:
            raise CaudexError(
                "--from is missing: say which run has read before, as in `caudex claim text-labels --from RUN`."
            )
        self.train(run)
        found = {name: row["accuracy"] for name, row in run.read_json("results").items() if isinstance(row, dict)}
        own = found.pop("fine-tuned")
        return Claim(self.statement, own, {name: found.pop(name) for name in ("from scratch", "words counted")}, found)

    def check(self) -> None:
        super().check()
        endless = float("inf")
        check_range(
            self,
            labels_per_class=(0, endless),
            batch=(2, endless),
            lr=(1e-8, 10),
            fine_lr=(1e-8, 10),
            decay=(0, 10),
            dropout=(0, 0.9),
        )
        check_range(self, context=(8, endless), depth=(1, 1000), width=(8, 100_000), heads=(1, self.width))
        if self.width % self.heads:
            raise CaudexError(
                f"--width {self.width} cannot be shared out among --heads {self.heads}; choose a multiple."
            )
