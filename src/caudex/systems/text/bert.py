"""bert: which tokens were hidden, and does the second passage follow the first?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from caudex import data, signals
from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.specs import TextSpec
from caudex.core.system import System
from caudex.data import MaskedTokenBatches, NextSentenceBatches, TokenBatches, Tokenizer, TokenStream
from caudex.evaluation.claim import Claim
from caudex.models.language_model import LanguageModel, moved
from caudex.systems.text import shared as reading
from caudex.systems.text.shared import OnTexts, spec_of, worth
from caudex.trunks import BERT_LAYOUT

TESTED = 40
"""batches of held-out text"""


@dataclass
class BERT(OnTexts, System):
    """Texts alone: tell hidden tokens from what stands on both sides, and whether a passage follows (Devlin et al. 2019).

    `caudex fill RUN "The man went to the [MASK]."` shows what it learned, and `caudex train text-labels --from RUN`
    makes more of few labels.
    """

    data: str = "brown"
    tokens: str = "wordpiece"
    vocabulary: int = 4096
    rotary: bool = True
    steps: int = 2000
    next_sentence: bool = True
    """also tell whether the second passage follows the first; it needs two documents at least"""
    whole_words: bool = False
    """hide all pieces of a word together"""
    tasks: tuple[str, ...] = ("films", "topics")
    """in a claim: labelled texts that the features are worth something for"""

    spec_type: ClassVar = TextSpec
    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 32, "depth": 2, "context": 64, "vocabulary": 512, "batch": 16},
        "paper": {
            "data": "books-and-wikipedia/", "vocabulary": 30_522, "context": 512, "depth": 12, "width": 768, "heads": 12,
            "rotary": False, "dropout": 0.1, "batch": 256, "lr": 1e-4, "decay": 0.01, "steps": 1_000_000,
        },
    }  # fmt: skip
    measure: ClassVar = "accuracy of a linear probe, mean over the tasks"
    statement: ClassVar = "filling in from both sides makes better features of sentences than telling the next token"

    def train(self, run: Run) -> LanguageModel:
        texts = reading.read(self, run, self.context)
        spec = spec_of(self, texts, BERT_LAYOUT)
        run.write_spec(spec)
        with run.seeded("weights"):
            made = self.learner(spec)
        source = self.batches(texts.known, texts.tokenizer, self.batch, run.seed)
        sources = dict.fromkeys(made.signals, source)
        held = self.batches(texts.held, texts.tokenizer, self.batch, 0)
        test = [next(held) for _ in range(TESTED)]
        fit(
            made,
            sources,
            **self.budget(1.0),
            run=run.stage("pretraining"),
            evaluate=lambda made: figures(made, test[:5]),
        )
        model = LanguageModel(made, spec)
        with run.counting(model):
            found = figures(made, test)
        found |= {"unigram": spec.unigram, "parameters": sum(p.numel() for p in model.parameters())}
        run.write_json("results", found)
        self.write_samples(run, model, texts.held)
        return model

    def batches(self, stream: TokenStream, tokenizer: Tokenizer, size: int, seed: int) -> MaskedTokenBatches:
        made, length = (NextSentenceBatches, self.context) if self.next_sentence else (TokenBatches, self.context - 2)
        return MaskedTokenBatches(made(stream, size, length, seed), tokenizer, seed, self.whole_words)

    def learner(self, spec: TextSpec) -> Learner:
        own = {"masked-token": signals.MaskedToken(spec.unigram)}
        if self.next_sentence:
            own["next-sentence"] = signals.NextSentence()
        own = {name: own[name] for name in spec.heads or own}  # a public body may come without its heads
        return reading.learner(self, spec, self.joined(own, spec), betas=(0.9, 0.999), last=0.0)

    def model(self, spec: TextSpec) -> LanguageModel:
        return LanguageModel(self.learner(spec), spec)

    def write_samples(self, run: Run, model: LanguageModel, held: TokenStream, count: int = 6) -> None:
        """What the model fills into passages of held-out text: samples.txt."""
        tokenizer, said = model.tokenizer, []
        for number in range(count):
            place = len(held) * number // count
            length = min(24, model.trunk.context // 2, len(held) - place)
            tokens = held.tokens_at(torch.arange(place, place + length).numpy()).tolist()
            tokens = [token for token in tokens if token != tokenizer.sep_token_id]
            middle = len(tokens) // 2
            text = tokenizer.decode(tokens[:middle]) + f" {tokenizer.id_to_token(tokenizer.mask_token_id)} "
            text += tokenizer.decode(tokens[middle + 1 :])
            told = ", ".join(f"{word} {share:.0%}" for word, share in model.fill(text)[0])
            said.append(f"{text}\n  {told}; it was {tokenizer.id_to_token(tokens[middle])}")
        run.write("samples.txt", "\n\n".join(said) + "\n")

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [("held-out text", "this model", "by frequency alone")]
        rows.append(("loss of hidden tokens", f"{results['masked-token loss']:.3f}", f"{results['unigram']:.3f}"))
        rows.append(("hidden tokens right", f"{results['masked-token accuracy']:.1%}", ""))
        if "next-sentence accuracy" in results:
            commoner = max(results["random"], 1 - results["random"])  # of the two answers
            rows.append(("next sentence right", f"{results['next-sentence accuracy']:.1%}", f"{commoner:.1%}"))
        return [*rows, ("parameters", f"{results['parameters']:,}", "")]

    def warn(self, results: dict) -> list[str]:
        loss, level = results["masked-token loss"], results["unigram"]
        if loss < level - 0.2:
            return []
        where = "above" if loss > level + 0.2 else "about"
        return [
            f"the loss of hidden tokens, {loss:.2f}, is {where} that of word frequencies, {level:.2f}, where many "
            "trainings stay for long; try more --steps, or a larger --batch."
        ]

    def claim(self, run: Run) -> Claim:
        """Features of sentences for labelled texts: the mean of the tokens', and logistic regression."""
        if not self.tasks:
            raise CaudexError("--tasks is empty; name one set of labelled texts at least, such as films.")
        model = self.train(run)
        spent = run.stage("pretraining").read_json("finished")["flops"]
        sizes = {
            name: getattr(self, name)
            for name in ("data", "column", "strict", "context", "depth", "width", "heads", "rotary")
        }
        sizes |= {"tokens": self.tokens, "vocabulary": self.vocabulary, "batch": self.batch, "seed": self.seed}
        other = replace(find_class("systems", "gpt")(**sizes), flops=spent, steps=1, lr=self.lr)
        rival = other.train(run.stage("next-token"))
        with run.stage("untrained").seeded("weights"):
            untrained = LanguageModel(self.learner(model.spec), model.spec)
        models = {"bert": model, "next token, same compute": rival, "untrained trunk": untrained}
        found: dict[str, list[float]] = {name: [] for name in models}
        further = {}
        for task in self.tasks:
            texts = data.load_labelled_texts(task)
            for name, each in models.items():
                found[name].append(worth(each, texts, self.seed))
                further[f"{task}, {name}"] = found[name][-1]
        means = {name: sum(values) / len(values) for name, values in found.items()}
        return Claim(self.statement, means.pop("bert"), means, further)

    def check(self) -> None:
        super().check()
        reading.check(self)


@torch.no_grad()
def figures(made: Learner, batches: list) -> dict[str, float]:
    """Losses and accuracies of both signals on held-out batches."""
    trunk, heads = made.averaged
    device, found = trunk.words.weight.device, {}
    for batch in batches:
        batch = batch._replace(
            texts=moved(batch.texts, device),
            targets=batch.targets.to(device),
            is_random_next=batch.is_random_next.to(device),
        )
        for name, signal in heads.items():
            said = signal.loss(trunk, batch)
            found.setdefault(f"{name} loss", []).append(said.loss.item())
            found.setdefault(f"{name} accuracy", []).append(said.metrics["accuracy"].item())
        found.setdefault("random", []).append(batch.is_random_next.float().mean().item())
    return {name: sum(values) / len(values) for name, values in found.items()}
