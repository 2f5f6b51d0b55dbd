"""gpt: which token comes next?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from caudex import data, signals
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.signal import Signal
from caudex.core.specs import TextSpec
from caudex.data import TokenBatches, TokenStream, evaluation_windows
from caudex.evaluation import text_result_kinds
from caudex.evaluation.baselines.lzma_coder import lzma_bits_per_byte
from caudex.evaluation.claim import Claim
from caudex.evaluation.perplexity import loss_and_accuracy
from caudex.evaluation.verdicts import format_gain
from caudex.models.causal_lm import CausalLM
from caudex.systems.text.fine_tuning import FineTunedSystem
from caudex.systems.text.shared import Texts
from caudex.trunks import GPT2_LAYOUT

TEST_WINDOWS, QUICK_WINDOWS = 400, 40
"""windows of held-out text, at most, in the test and at each evaluation of a training"""
TUNING_SHARE = 4
"""with --from so many times fewer: those models are large"""


@dataclass
class GPT(FineTunedSystem):
    """Running text alone: tell the next token, and so go on with any prompt (Radford et al. 2019).

    `caudex generate RUN "..."` goes on with a text, `caudex ask RUN` answers from the prompt alone, and
    `caudex train text-labels --from RUN` makes more of few labels. With `--from RUN` a model that has read before, ours or an
    imported one, goes on learning from your texts: all of its weights, or `--lora` alone.
    """

    steps: int = 1500
    tasks: tuple[str, ...] = ()
    """in a claim: labelled texts, such as films, that the features are to be worth something for"""

    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 32, "depth": 2, "context": 64, "vocab_size": 512, "batch": 16},
        "paper": {
            "data": "webtext/", "vocab_size": 50_257, "context": 1024, "depth": 12, "width": 768, "heads": 12, "dropout": 0.1,
            "batch": 512, "lr": 2.5e-4, "steps": 800_000,
        },
    }  # fmt: skip
    results_type: ClassVar = text_result_kinds.GPTResults
    layout: ClassVar = GPT2_LAYOUT
    model_class: ClassVar = CausalLM
    accepts: ClassVar = ("tokens",)
    measure: ClassVar = "share of the bits of token frequencies that is saved"
    statement: ClassVar = (
        "a transformer that tells the next token needs fewer bits for new text than a dictionary coder"
    )

    def signals(self, spec: TextSpec) -> dict[str, Signal]:
        heads = {"next-token": signals.NextToken(spec.unigram, spec.tied, frozen=self.lora is not None)}
        return heads if spec.heads is None else {name: heads[name] for name in spec.heads}

    def source(self, stream: TokenStream, batch: int, seed: int) -> TokenBatches:
        return TokenBatches(stream, batch, self.context, seed)

    def test_windows(self, texts: Texts) -> Tensor:
        """int64 [N, T + 1] of held-out text."""
        count = TEST_WINDOWS // TUNING_SHARE if self.start else TEST_WINDOWS
        return evaluation_windows(texts.held_out, self.context, count)

    def quick_metrics(self, learner: Learner, texts: Texts) -> dict[str, float]:
        windows = self.test_windows(texts)
        quick_windows = QUICK_WINDOWS // TUNING_SHARE if self.start else QUICK_WINDOWS
        loss, _ = loss_and_accuracy(*learner.averaged, windows[:: max(1, len(windows) // quick_windows)])
        return {"loss": loss}

    def test(self, model: CausalLM, texts: Texts) -> dict:
        windows = self.test_windows(texts)
        return self.figures(model, texts, windows, *loss_and_accuracy(model.trunk, model.signals, windows))

    def figures(self, model: CausalLM, texts: Texts, windows: Tensor, loss: float, accuracy: float) -> dict:
        """Of the model, and of a predictor that knows the token frequencies alone."""
        count, targets = len(texts.train), windows[:, 1:]
        frequencies = (texts.frequencies * count + 1) / (count + len(texts.frequencies))  # none is impossible
        most_frequent = frequencies.argmax()
        by_frequency = -frequencies[targets].log().mean().item(), (targets == most_frequent).double().mean().item()
        predictors = {"model": (loss, accuracy), "frequencies": by_frequency}
        num_bytes = sum(len(model.tokenizer.decode(row).encode(errors="replace")) for row in targets.tolist())
        results = {
            name: {
                "nats a token": loss,
                "perplexity": math.exp(loss),
                "bits a byte": loss / math.log(2) * targets.numel() / max(1, num_bytes),  # whatever the vocabulary
                "accuracy": accuracy,
            }
            for name, (loss, accuracy) in predictors.items()
        }
        return results | {"parameters": sum(p.numel() for p in model.parameters()), "test_size": targets.numel()}

    def completions(
        self, model: CausalLM, stream: TokenStream, count: int = 4, max_tokens: int = 150
    ) -> list[tuple[str, str]]:
        """A few beginnings from held-out text, and how the model goes on with each, as it comes."""
        texts = []
        for number in range(count):
            start = len(stream) * number // count
            tokens = stream.tokens_at(torch.arange(start, start + 12).numpy())
            prompt = model.tokenizer.decode(tokens, skip_special_tokens=True)
            completion = "".join(part for (part,) in model.generate(prompt, max_tokens, 0.8, 0.95, seed=number))
            texts.append((prompt, completion))
        return texts

    def samples(self, model: CausalLM, stream: TokenStream) -> str:
        return "\n\n----\n\n".join(map("|".join, self.completions(model, stream))) + "\n"

    def result_rows(self, results: dict) -> list[tuple]:
        columns = {"this model": "model", "before": "before", "token frequencies": "frequencies"}
        columns = {header: results[name] for header, name in columns.items() if name in results}
        rows = [("held-out text", *columns)]
        for name in ("nats a token", "perplexity", "bits a byte"):
            rows.append((name, *(f"{figures[name]:,.3f}" for figures in columns.values())))
        rows.append(("next token right", *(f"{figures['accuracy']:.1%}" for figures in columns.values())))
        blank = [""] * (len(columns) - 1)
        for name, count in (("parameters", "parameters"), ("tokens tested", "test_size")):
            rows.append((name, f"{results[count]:,}", *blank))
        if "learning parameters" in results:
            rows.append(("parameters that learned", f"{results['learning parameters']:,}", *blank))
            rows.append(("nats a token saved", format_gain(results["gain"], ".3f"), *blank))
        return rows

    def warn(self, results: dict) -> list[str]:
        model, frequencies = results["model"], results["frequencies"]
        lead = frequencies["nats a token"] - model["nats a token"]
        if lead >= 0.05:
            return []
        verdict = "is worse than a predictor that knows" if lead < 0 else "has hardly learned more than"
        return [
            f"it {verdict} how often each token comes ({model['nats a token']:.2f} against {frequencies['nats a token']:.2f} nats "
            f"a token, {model['accuracy']:.1%} against {frequencies['accuracy']:.1%} of the next tokens right); try more --steps, "
            "or a higher --lr."
        ]

    def claim(self, run: Run) -> Claim:
        from caudex.evaluation.text_probing import split_text_probe_accuracy  # with sklearn: two fifths of the imports

        if self.start:
            raise CaudexError("the claim of gpt is of models from scratch; leave --from out, or train instead.")
        texts = self.read_texts(run)
        model, results = self.train_on(run, texts), run.read_json("results")
        bits, frequency_bits = results["model"]["bits a byte"], results["frequencies"]["bits a byte"]
        coder_bits = lzma_bits_per_byte(texts.train, self.test_windows(texts))
        secondary = {
            "bits a byte": bits,
            "nats a token": results["model"]["nats a token"],
            "parameters": results["parameters"],
        }
        for task in self.tasks:
            secondary[task] = split_text_probe_accuracy(model, data.load_labelled_texts(task), self.seed)
        baselines = {"lzma, that has seen the text": 1 - coder_bits / frequency_bits}
        return Claim(self.statement, 1 - bits / frequency_bits, baselines, secondary, {"token frequencies": 0.0})
