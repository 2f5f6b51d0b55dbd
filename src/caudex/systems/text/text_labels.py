"""text-labels: what kind of text is it? Few labels, a trunk that has read before, and words counted beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

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
from caudex.data.text.text_batches import pad_activations
from caudex.data.text.text_splits import TextSplit, split_texts
from caudex.evaluation import result_kinds, text_result_kinds
from caudex.evaluation.baselines.sklearn import predict_by_tfidf
from caudex.evaluation.claim import Claim
from caudex.evaluation.classification import (
    MAJORITY,
    accuracy_with_interval,
    classification_rows,
    compare_predictions,
    majority_warning,
)
from caudex.evaluation.plots.word_by_word import plot_word_by_word
from caudex.evaluation.text_probing import text_probe_accuracy
from caudex.evaluation.verdicts import format_gain
from caudex.models.language_model import LanguageModel
from caudex.models.text_classifier import TextClassifier
from caudex.models.text_features import TextEncoder, tokenize
from caudex.systems.text.frozen_texts import FROZEN, MINILM, PROMPTED, FrozenHead, find_prompt, frozen_predictors
from caudex.systems.text.shared import check_heads
from caudex.trunks import GPT2_LAYOUT, FrozenTransformer, Transformer, Trunk, TunedBlocks
from caudex.trunks.frozen_transformer import check_tuned_blocks

TUNED, SCRATCH, WORDS = "fine-tuned", "from scratch", "words counted"
MAX_TUNED_PARAMETERS = 50_000_000
"""of a trunk that learns as a whole unless --finetune is set: on two cores more take hours"""


@dataclass
class TextLabels(System):
    """Labelled texts: go on with a trunk that has read others (`--from RUN`, of gpt, bert or an imported model) to tell their classes.

    The same network from scratch, and TF-IDF with logistic regression, which is strong where labels are many, are compared. A trunk that
    reads from left to right is given each text in a prompt; of one with over 50 million parameters the features stay frozen, unless
    --finetune says otherwise.
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
    """the run to begin with, of gpt, bert or an imported model; also written --from"""
    prompt: str | None = None
    """around each text, for a trunk that reads from left to right: a file or a text with {text}, and {second} of pairs; default: the
    packaged set's own, else {text} and below it the name of the label column"""
    finetune: int | None = None
    """blocks of the trunk, the last ones, that learn: 0 none; default: all of it, but none of one with over 50 million parameters"""
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
    """tokens that are seen of a text from scratch, or with its prompt; without a prompt, a trunk of --from sees as many as it did there"""
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
        split, spec = self.load_split(run, start)
        run.write_spec(spec)
        self.print_data(run, split, spec)
        classifiers, predictors = {}, {}
        if spec.tuned_blocks is None:
            classifiers = self.fit_classifiers(run, split.train, spec, start)
            predictors = {name: classifier.predict_labels for name, classifier in classifiers.items()}
        if start and (start.trunk.causal or not classifiers):
            with run.counting(start.trunk):
                frozen = frozen_predictors(self, run, split, start)
            predictors |= {name: predictor.predict for name, predictor in frozen.items()}
            if spec.tuned_blocks:
                tuned = self.tune_blocks(run.stage("fine-tuned"), split.train, spec, start, frozen[FROZEN])
                classifiers, predictors = {TUNED: tuned}, {TUNED: tuned.predict_labels, **predictors}
            classifiers = classifiers or {FROZEN: frozen[FROZEN].classifier(spec)}
        predictors[WORDS] = partial(predict_by_tfidf, split.train)
        results: dict = {"labels": len(split.train)}
        sets = {"": split.test} | {f", on {name}": self.load_other_test(name, split.train) for name in self.test_on}
        for suffix, texts in sets.items():
            with run.counting(*classifiers.values()):
                predictions = {name: predict(texts) for name, predict in predictors.items()}
            results |= compare_predictions(predictions, texts.labels, texts.classes, suffix)
            if start and FROZEN not in predictions:
                accuracy = text_probe_accuracy(start, split.train, texts)
                results[FROZEN + suffix] = accuracy_with_interval(accuracy, len(texts))
        run.write_json("results", results)
        classifier = next(iter(classifiers.values()))
        plot_word_by_word(run, classifier, split.test)
        return classifier

    def fit_classifiers(
        self, run: Run, train: LabelledTexts, spec: TextSpec, start: LanguageModel | None
    ) -> dict[str, TextClassifier]:
        """The whole network, from scratch, and before it from the weights of `start`."""
        tokens = encode_texts(
            Tokenizer.from_config(spec.tokenizer), train.texts, train.text_pairs, spec.trunk["context"]
        )
        classifiers = {SCRATCH: self.fit_classifier(run.stage("scratch"), tokens, train.labels, spec)}
        if start:
            tuned = self.fit_classifier(run.stage("fine-tuned"), tokens, train.labels, spec, start)
            classifiers = {TUNED: tuned, **classifiers}
        return classifiers

    def tune_blocks(
        self, run: Run, train: LabelledTexts, spec: TextSpec, start: LanguageModel, frozen: FrozenHead
    ) -> TextClassifier:
        """The last blocks learn on the activations of the others, from the head of the frozen features on (Kumar et al. 2022)."""
        encoder = TextEncoder(start, spec.prompt, spec.max_tokens, spec.tuned_blocks)
        source = TextBatches(encoder.encode_activations(train), train.labels, self.batch, run.seed, pad_activations)
        trunk = encoder.trunk.copy_tuned()
        trunk.load_state_dict(frozen.encoder.trunk.state_dict())
        with run.seeded("weights"):
            learner = self.learner(spec, self.fine_tuning_lr or 0.04 / start.trunk.width, TunedBlocks(trunk))
        load_weights(learner.signals, frozen.learner.signals.state_dict())
        fit(learner, {"labels": source}, **self.budget(1.0), run=run)
        learner.trunk = trunk
        return TextClassifier(learner, spec)

    def print_data(self, run: Run, split: TextSplit, spec: TextSpec) -> None:
        train, context = split.train, spec.max_tokens or spec.trunk["context"]
        tokens = tokenize(Tokenizer.from_config(spec.tokenizer), train.texts, train.text_pairs, spec.prompt, context)
        longer = sum(len(row) >= context for row, _ in tokens)
        truncated = f"; of {longer:,} longer than {context} tokens the beginning counts" if longer else ""
        print_once(
            run,
            f"{len(spec.classes)} classes; {len(train):,} labelled texts, {len(split.test):,} held out{truncated}",
        )
        if spec.prompt is not None:
            print_once(run, f"the features are those of the last token of {spec.prompt!r}")
        if spec.tuned_blocks:
            print_once(run, f"the last {spec.tuned_blocks} of {spec.trunk['depth']} blocks learn")

    def load_start(self, run: Run) -> LanguageModel | None:
        """The model of `--from`, on the device of the run."""
        model = load(self.start) if self.start else None
        if model and not isinstance(model, LanguageModel):
            raise CaudexError(f"--from {self.start} holds no trunk for texts; give one of gpt, bert or import.")
        return model and model.to(launch_fabric(run.hardware).device)

    def load_split(self, run: Run, start: LanguageModel | None) -> tuple[TextSplit, TextSpec]:
        """Texts to learn from and to test on, and the spec of the model."""
        prompt = find_prompt(self, start) if start else None
        if start:
            check_tuned_blocks(self.finetune or 0, start.trunk)
        texts = self.load_texts(self.data)
        split = split_texts(texts, self.labels_per_class, self.seed)
        run.table("skipped", [{"file": file, "reason": reason} for file, reason in texts.skipped])
        for note in split.notes:
            print_once(run, note)
        classes = split.train.classes
        if not start:
            tokenizer = Tokenizer.train("bpe", list(enumerate(split.train.texts)), 4096)
            sizes = {name: getattr(self, name) for name in ("context", "depth", "width", "heads", "dropout")}
            trunk = GPT2_LAYOUT | sizes | {"vocabulary": tokenizer.vocab_size, "mean_pooling": True}
            return split, TextSpec(trunk, tokenizer.config, classes=classes)
        if self.learns_whole(start):
            trunk = start.trunk_config | {"dropout": self.dropout, "mean_pooling": True}
            return split, TextSpec(trunk, start.tokenizer.config, classes=classes)
        max_tokens = min(self.context, start.trunk.context) if prompt is not None else None
        encoding = {"prompt": prompt, "max_tokens": max_tokens, "tuned_blocks": self.finetune or 0}
        return split, TextSpec(start.trunk_config, start.tokenizer.config, classes=classes, **encoding)

    def learns_whole(self, start: LanguageModel) -> bool:
        """Whether the whole trunk learns."""
        return self.finetune is None and sum(p.numel() for p in start.trunk.parameters()) <= MAX_TUNED_PARAMETERS

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

    def learner(self, spec: TextSpec, lr: float, trunk: Trunk | None = None) -> Learner:
        optimizer = partial(AdamW, lr=lr, weight_decay=self.decay, fused=True)
        labels = {"labels": signals.Labels(len(spec.classes))}
        if trunk is None:
            trunk = Transformer(**spec.trunk)
            if spec.tuned_blocks is not None:
                trunk = FrozenTransformer(trunk, spec.prompt is None, spec.tuned_blocks)
        return Learner(trunk, labels, optimizer, partial(cosine_schedule, warmup=0.1))

    def model(self, spec: TextSpec) -> TextClassifier:
        return TextClassifier(self.learner(spec, self.lr), spec)

    def kinds_of_results(self) -> tuple:
        return (result_kinds.ImageResults, text_result_kinds.TextLabelsResults)

    def result_rows(self, results: dict) -> list[tuple]:
        return classification_rows(results)

    def warn(self, results: dict) -> list[str]:
        name = main_arm(results)
        warnings = majority_warning(f"the classifier, {name},", results[name])
        more = "" if name == FROZEN else ", or try more --steps"
        rivals = {
            WORDS: ("counting words (TF-IDF with logistic regression)", f"take that{more}"),
            PROMPTED: (PROMPTED, "take that (`caudex ask`), or give more labels"),
        }
        for rival, (description, advice) in rivals.items():
            gain = results.get(f"gain over {rival}")
            if gain and gain["gain"] < 0:
                verdict = "does better here" if gain["verdict"] == "worse" else "may well do better here"
                warnings.append(f"{description} {verdict} ({format_gain(gain, '.1%')}); {advice}.")
        return warnings

    def claim(self, run: Run) -> Claim:
        if not self.start:
            raise CaudexError(
                "--from is missing: say which run has read before, as in `caudex claim text-labels --from RUN`."
            )
        self.train(run)
        results = run.read_json("results")
        rows = {name: row for name, row in results.items() if isinstance(row, dict) and "accuracy" in row}
        accuracies = {name: row["accuracy"] for name, row in rows.items()}
        name = main_arm(results)
        score = accuracies.pop(name)
        rivals = (SCRATCH, WORDS) if name == TUNED else (WORDS, MINILM)
        baselines = {rival: accuracies.pop(rival) for rival in rivals if rival in accuracies}
        controls = {MAJORITY: results[name]["majority"]["accuracy"]}
        return Claim(self.statement, score, baselines, accuracies, controls)

    def check(self) -> None:
        super().check()
        endless = float("inf")
        check_range(self, labels_per_class=(0, endless), batch=(2, endless), lr=(1e-8, 10), fine_tuning_lr=(1e-8, 10))
        check_range(self, decay=(0, 10), dropout=(0, 0.9), context=(8, endless), depth=(1, 1000), width=(8, 100_000))
        check_range(self, heads=(1, self.width), finetune=(0, 1000))
        check_heads(self.width, self.heads)
        for name in ("prompt", "finetune"):
            if getattr(self, name) is not None and not self.start:
                raise CaudexError(f"--{name} is about the trunk of --from; add it, or leave --{name} out.")


def main_arm(results: dict) -> str:
    """What the run's model is."""
    return next(name for name in (TUNED, SCRATCH, FROZEN) if name in results)
