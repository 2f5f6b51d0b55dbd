"""gpt: which token comes next?"""

from __future__ import annotations

import lzma
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from caudex import data, signals
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.run import Run
from caudex.core.specs import TextSpec
from caudex.core.system import System
from caudex.data import TokenBatch, TokenBatches, TokenStream, evaluation_windows
from caudex.evaluation.claim import Claim
from caudex.models.language_model import LanguageModel
from caudex.systems.text import shared as reading
from caudex.systems.text.shared import OnTexts, Texts, spec_of, worth
from caudex.trunks import GPT2_LAYOUT

TESTED = 400
"""windows of held-out text, at most"""


@dataclass
class GPT(OnTexts, System):
    """Running text alone: tell the next token, and so go on with any prompt (Radford et al. 2019).

    `caudex generate RUN "..."` goes on with a text, `caudex ask RUN` answers from the prompt alone, and
    `caudex train text-labels --from RUN` makes more of few labels.
    """

    steps: int = 1500
    tasks: tuple[str, ...] = ()
    """in a claim: labelled texts, such as films, that the features are to be worth something for"""

    spec_type: ClassVar = TextSpec
    scales: ClassVar = {
        "tiny": {"steps": 30, "width": 32, "depth": 2, "context": 64, "vocabulary": 512, "batch": 16},
        "paper": {
            "data": "webtext/", "vocabulary": 50_257, "context": 1024, "depth": 12, "width": 768, "heads": 12, "dropout": 0.1,
            "batch": 512, "lr": 2.5e-4, "steps": 800_000,
        },
    }  # fmt: skip
    accepts: ClassVar = ("tokens",)
    measure: ClassVar = "share of the bits of token frequencies that is saved"
    statement: ClassVar = (
        "a transformer that tells the next token needs fewer bits for new text than a dictionary coder"
    )

    def train(self, run: Run) -> LanguageModel:
        return self.learned(run, reading.read(self, run, self.context))

    def learned(self, run: Run, texts: Texts) -> LanguageModel:
        spec = spec_of(self, texts, GPT2_LAYOUT)
        run.write_spec(spec)
        with run.seeded("weights"):
            made = self.learner(spec)
        windows = evaluation_windows(texts.held, self.context, TESTED)
        source = TokenBatches(texts.known, self.batch, self.context, run.seed)
        sources = {"next-token": source} | self.feed(self.extra_signals(spec), tokens=source)
        watched = windows[:: max(1, len(windows) // 40)]
        fit(
            made,
            sources,
            **self.budget(1.0),
            run=run.stage("pretraining"),
            evaluate=lambda made: {"loss": told(made, watched)[0]},
        )
        model = LanguageModel(made, spec)
        with run.counting(model):
            run.write_json("results", measured(model, texts, windows))
        self.write_samples(run, model, texts.held)
        return model

    def learner(self, spec: TextSpec) -> Learner:
        own = {"next-token": signals.NextToken(spec.unigram)}
        return reading.learner(self, spec, self.joined(own, spec))

    def model(self, spec: TextSpec) -> LanguageModel:
        return LanguageModel(self.learner(spec), spec)

    def write_samples(self, run: Run, model: LanguageModel, held: TokenStream, count: int = 4, most: int = 150) -> None:
        """How the model goes on with a few beginnings from held-out text, as it comes: samples.txt."""
        said = []
        for number in range(count):
            place = len(held) * number // count
            prompt = model.tokenizer.decode(
                held.tokens_at(torch.arange(place, place + 12).numpy()), skip_special_tokens=True
            )
            went_on = "".join(part for (part,) in model.generate(prompt, most, 0.8, 0.95, seed=number))
            said.append(f"{prompt}|{went_on}")
        run.write("samples.txt", "\n\n----\n\n".join(said) + "\n")

    def result_rows(self, results: dict) -> list[tuple]:
        rows = [("held-out text", "this model", "token frequencies")]
        for name in ("nats a token", "perplexity", "bits a byte"):
            rows.append((name, *(f"{results[whose][name]:,.3f}" for whose in ("model", "frequencies"))))
        rows.append(
            ("next token right", f"{results['model']['accuracy']:.1%}", f"{results['frequencies']['accuracy']:.1%}")
        )
        return [
            *rows,
            ("parameters", f"{results['parameters']:,}", ""),
            ("tokens tested", f"{results['tested']:,}", ""),
        ]

    def warn(self, results: dict) -> list[str]:
        lead = results["frequencies"]["nats a token"] - results["model"]["nats a token"]
        if lead < 0.05:
            what = "not even learned" if lead < -0.05 else "hardly learned more than"
            return [f"it has {what} how often each token comes; try more --steps, or a higher --lr."]
        return []

    def claim(self, run: Run) -> Claim:
        texts = reading.read(self, run, self.context)
        model, found = self.learned(run, texts), run.read_json("results")
        windows = evaluation_windows(texts.held, self.context, TESTED)
        own, base = found["model"]["bits a byte"], found["frequencies"]["bits a byte"]
        coded = dictionary_coder(texts.known, windows)
        further = {
            "bits a byte": own,
            "nats a token": found["model"]["nats a token"],
            "parameters": found["parameters"],
        }
        further |= {task: worth(model, data.load_labelled_texts(task), self.seed) for task in self.tasks}
        return Claim(self.statement, 1 - own / base, {"lzma, that has seen the text": 1 - coded / base}, further)

    def check(self) -> None:
        super().check()
        reading.check(self)


@torch.no_grad()
def told(made: Learner | LanguageModel, windows: Tensor, batch: int = 32) -> tuple[float, float]:
    """Mean -ln p of each next token in windows int64 [N, T + 1], and the share of them that is told rightly."""
    trunk, heads = made.averaged if isinstance(made, Learner) else (made.trunk, made.signals)
    loss = right = 0.0
    for part in windows.split(batch):
        part = part.to(trunk.words.weight.device)
        said = heads["next-token"].loss(trunk, TokenBatch(part[:, :-1], part[:, 1:], part[:, 0]))
        loss, right = loss + said.loss.item() * len(part), right + said.metrics["accuracy"].item() * len(part)
    return loss / len(windows), right / len(windows)


def measured(model: LanguageModel, texts: Texts, windows: Tensor) -> dict:
    """On held-out windows int64 [N, T + 1]: the model, and one who knows only how often each token comes."""
    count, targets = len(texts.known), windows[:, 1:]
    shares = (texts.shares * count + 1) / (count + len(texts.shares))  # none is impossible
    size = sum(len(model.tokenizer.decode(row).encode(errors="replace")) for row in targets.tolist())  # bytes of UTF-8
    frequent = -shares[targets].log().mean().item(), (targets == shares.argmax()).double().mean().item()
    found = {
        name: {
            "nats a token": loss,
            "perplexity": math.exp(loss),
            "bits a byte": loss / math.log(2) * targets.numel() / max(1, size),  # whatever the vocabulary
            "accuracy": accuracy,
        }
        for name, (loss, accuracy) in {"model": told(model, windows), "frequencies": frequent}.items()
    }
    return found | {"parameters": sum(p.numel() for p in model.parameters()), "tested": targets.numel()}


def dictionary_coder(known: TokenStream, windows: Tensor, most: int = 4_000_000) -> float:
    """Bits a byte that lzma needs for the windows behind the last `most` tokens that were learned from."""
    tokenizer, places = known.tokenizer, torch.arange(max(0, len(known) - most), len(known)).numpy()
    before = tokenizer.decode(known.tokens_at(places)).encode(errors="replace")
    asked = "".join(tokenizer.decode(row[1:]) for row in windows.tolist()).encode(errors="replace")
    strong = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 28}]
    sizes = [len(lzma.compress(text, lzma.FORMAT_RAW, filters=strong)) for text in (before + asked, before)]
    return 8 * (sizes[0] - sizes[1]) / max(1, len(asked))
