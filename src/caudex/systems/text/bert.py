"""bert: which tokens were hidden, and does the second passage follow the first?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import nn

from caudex import data, signals
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.placement import to_device
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.signal import Signal
from caudex.core.specs import TextSpec
from caudex.data import MaskedTokenBatches, NextSentenceBatches, TokenBatches, TokenStream
from caudex.evaluation import text_result_kinds
from caudex.evaluation.claim import Claim
from caudex.models.masked_lm import MaskedLM
from caudex.systems.text.shared import Texts, TextSystem
from caudex.trunks import BERT_LAYOUT

TEST_BATCHES, QUICK_BATCHES = 40, 5
"""batches of held-out text in the test, and at each evaluation of a training"""


@dataclass
class BERT(TextSystem):
    """Texts alone: tell hidden tokens from what stands on both sides, and whether a passage follows (Devlin et al. 2019).

    `caudex fill RUN "The man went to the [MASK]."` shows what it learned, and `caudex train text-labels --from RUN`
    makes more of few labels.
    """

    data: str = "brown"
    tokenizer: str = "wordpiece"
    vocab_size: int = 4096
    rotary: bool = True
    steps: int = 2000
    next_sentence: bool = True
    """also tell whether the second passage follows the first; it needs two documents at least"""
    whole_words: bool = False
    """hide all pieces of a word together"""
    tasks: tuple[str, ...] = ("films", "topics")
    """in a claim: labelled texts that the features are worth something for"""

    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 32, "depth": 2, "context": 64, "vocab_size": 512, "batch": 16},
        "paper": {
            "data": "books-and-wikipedia/", "vocab_size": 30_522, "context": 512, "depth": 12, "width": 768, "heads": 12,
            "rotary": False, "dropout": 0.1, "batch": 256, "lr": 1e-4, "decay": 0.01, "steps": 1_000_000,
        },
    }  # fmt: skip
    results_type: ClassVar = text_result_kinds.BERTResults
    layout: ClassVar = BERT_LAYOUT
    model_class: ClassVar = MaskedLM
    betas: ClassVar = (0.9, 0.999)
    final_lr: ClassVar = 0.0
    measure: ClassVar = "accuracy of a linear probe, mean over the tasks"
    statement: ClassVar = "filling in from both sides makes better features of sentences than telling the next token"

    def signals(self, spec: TextSpec) -> dict[str, Signal]:
        eps, gelu = spec.trunk["eps"], spec.trunk["gelu_approximate"]
        heads = {"masked-token": signals.MaskedToken(spec.unigram, eps, gelu, spec.tied)}
        if self.next_sentence:
            heads["next-sentence"] = signals.NextSentence()
        names = heads if spec.heads is None else spec.heads  # a public body may come without its heads
        return {name: heads[name] for name in names}

    def source(self, stream: TokenStream, batch: int, seed: int) -> MaskedTokenBatches:
        length = self.context if self.next_sentence else self.context - 2
        passages = NextSentenceBatches if self.next_sentence else TokenBatches
        batches = passages(stream, batch, length, seed)
        return MaskedTokenBatches(batches, stream.tokenizer, seed, self.whole_words)

    def quick_metrics(self, learner: Learner, texts: Texts) -> dict[str, float]:
        return self.metrics(*learner.averaged, texts, QUICK_BATCHES)

    def test(self, model: MaskedLM, texts: Texts) -> dict:
        metrics = self.metrics(model.trunk, model.signals, texts, TEST_BATCHES)
        return metrics | {"unigram": texts.unigram, "parameters": sum(p.numel() for p in model.parameters())}

    @torch.no_grad()
    def metrics(self, trunk: nn.Module, heads: nn.ModuleDict, texts: Texts, num_batches: int) -> dict[str, float]:
        """Losses and accuracies of the signals on held-out batches."""
        device, source = trunk.token_embedding.weight.device, self.source(texts.held_out, self.batch, 0)
        sums: dict[str, float] = {}
        for _ in range(num_batches):
            batch = to_device(next(source), device)
            figures = {}
            for name, signal in heads.items():
                output = signal.loss(trunk, batch)
                figures[f"{name} loss"] = output.loss.item()
                figures[f"{name} accuracy"] = output.metrics["accuracy"].item()
            figures["random next"] = batch.is_random_next.float().mean().item()
            sums = {name: sums.get(name, 0) + value for name, value in figures.items()}
        return {name: total / num_batches for name, total in sums.items()}

    def samples(self, model: MaskedLM, stream: TokenStream, count: int = 6) -> str:
        """What the model fills into passages of held-out text."""
        tokenizer, texts = model.tokenizer, []
        for number in range(count):
            start = len(stream) * number // count
            length = min(24, model.trunk.context // 2, len(stream) - start)
            tokens = stream.tokens_at(torch.arange(start, start + length).numpy()).tolist()
            tokens = [token for token in tokens if token != tokenizer.sep_token_id]
            middle = len(tokens) // 2
            text = tokenizer.decode(tokens[:middle]) + f" {tokenizer.id_to_token(tokenizer.mask_token_id)} "
            text += tokenizer.decode(tokens[middle + 1 :])
            words = ", ".join(f"{word} {probability:.0%}" for word, probability in model.fill_mask(text)[0])
            texts.append(f"{text}\n  {words}; it was {tokenizer.id_to_token(tokens[middle])}")
        return "\n\n".join(texts) + "\n"

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [("held-out text", "this model", "by frequency alone")]
        rows.append(("loss of hidden tokens", f"{results['masked-token loss']:.3f}", f"{results['unigram']:.3f}"))
        rows.append(("hidden tokens right", f"{results['masked-token accuracy']:.1%}", ""))
        if "next-sentence accuracy" in results:
            commoner = max(results["random next"], 1 - results["random next"])  # of the two answers
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
        from caudex.evaluation.text_probing import split_text_probe_accuracy  # with sklearn: two fifths of the imports

        if not self.tasks:
            raise CaudexError("--tasks is empty; name one set of labelled texts at least, such as films.")
        model = self.train(run)
        flops = run.stage("pretraining").read_json("finished")["flops"]
        names = (
            "data", "column", "strict", "context", "depth", "width", "heads", "rotary", "tokenizer", "vocab_size", "batch",
            "seed",
        )  # fmt: skip
        settings = {name: getattr(self, name) for name in names}
        gpt = replace(find_class("systems", "gpt")(**settings), flops=flops, steps=1, lr=self.lr)
        next_token = gpt.train(run.stage("next-token"))
        with run.stage("untrained").seeded("weights"):
            untrained = MaskedLM(self.learner(model.spec), model.spec)
        models = {"bert": model, "next token, same compute": next_token, "untrained trunk": untrained}
        accuracies: dict[str, list[float]] = {name: [] for name in models}
        secondary = {}
        for task in self.tasks:
            texts = data.load_labelled_texts(task)
            for name, language_model in models.items():
                accuracies[name].append(split_text_probe_accuracy(language_model, texts, self.seed))
                secondary[f"{task}, {name}"] = accuracies[name][-1]
        means = {name: sum(values) / len(values) for name, values in accuracies.items()}
        controls = {"untrained trunk": means["untrained trunk"]}
        return Claim(self.statement, means.pop("bert"), means, secondary, controls)
