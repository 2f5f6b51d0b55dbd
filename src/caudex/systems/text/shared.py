"""What the systems that learn from texts without labels share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW

from caudex import data
from caudex.core.console import print_once
from caudex.core.errors import CaudexError, counted
from caudex.core.fetch import cache_folder
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.signal import Signal
from caudex.core.specs import TextSpec
from caudex.core.system import System
from caudex.data import Tokenizer, TokenStream
from caudex.models.language_model import LanguageModel
from caudex.trunks import Transformer, Trunk

TOKENIZERS = ("bpe", "wordpiece", "characters")
MANY_BYTES, MAX_WORKERS = 20_000_000, 3
"""bytes of text from which on several processes cut it into tokens; how many, at 190 MB of memory each"""


class Texts(NamedTuple):
    """What is learned from and what is held out, as streams of tokens."""

    tokenizer: Tokenizer
    train: TokenStream
    held_out: TokenStream
    frequencies: Tensor  # float64 [V]: the share of each token in `train`

    @property
    def unigram(self) -> float:
        """The loss of a predictor that knows the frequencies alone: their entropy, in nats."""
        return torch.special.entr(self.frequencies).sum().item()


@dataclass
class TextSystem(System):
    """A system that learns from texts without labels. Each brings its signals, source and figures."""

    data: str = "shakespeare"
    """shakespeare, brown, ..., or a file or folder of .txt, .md, .jsonl, .csv"""
    column: str | None = None
    """of a .jsonl or .csv: the column that holds the text; default: text"""
    strict: bool = False
    """refuse bytes that are not UTF-8, instead of replacing and counting them"""
    tokenizer: str = "bpe"
    """how text is cut: bpe, wordpiece, characters; or a folder with a published vocabulary"""
    vocab_size: int = 2048
    """tokens of a vocabulary that is learned from the texts, at most"""
    context: int = 128
    """tokens that are seen at once"""
    depth: int = 4
    """blocks of the transformer"""
    width: int = 128
    """numbers that stand for a token"""
    heads: int = 4
    """of the attention"""
    rotary: bool = False
    """places by turned pairs of numbers (Su et al. 2021), not learned; public folders of GPT-2 and BERT have learned ones"""
    dropout: float = 0.0
    """share of the numbers left out while learning; 0.1 where the texts are gone through many times"""
    batch: int = 32
    """windows of `context` tokens a step"""
    lr: float = 1e-3
    """learning rate"""
    decay: float = 0.1
    """weight decay"""
    held_out: float = 0.1
    """share of the texts that is not learned from, but tested on"""

    spec_type: ClassVar = TextSpec
    layout: ClassVar[dict] = {}
    """further arguments of the transformer"""
    model_class: ClassVar[type[LanguageModel]] = LanguageModel
    betas: ClassVar[tuple[float, float]] = (0.9, 0.95)
    """of AdamW"""
    final_lr: ClassVar[float] = 0.1
    """the last learning rate, as a share of the highest"""

    def signals(self, spec: TextSpec) -> dict[str, Signal]:
        raise NotImplementedError

    def source(self, stream: TokenStream, batch: int, seed: int) -> Iterator:
        """Batches for all signals."""
        raise NotImplementedError

    def quick_metrics(self, learner: Learner, texts: Texts) -> dict[str, float]:
        """Figures on a part of the held-out text, several times in a training."""
        raise NotImplementedError

    def test(self, model: LanguageModel, texts: Texts) -> dict:
        """Figures on the held-out text, for results.json."""
        raise NotImplementedError

    def samples(self, model: LanguageModel, stream: TokenStream) -> str:
        """What the model makes of held-out text, as it comes, for samples.txt."""
        raise NotImplementedError

    def train(self, run: Run) -> LanguageModel:
        return self.train_on(run, self.read_texts(run))

    def train_on(self, run: Run, texts: Texts) -> LanguageModel:
        """Fit the system's learner to the texts that are not held out, then test it on the others."""
        spec = self.text_spec(texts)
        run.write_spec(spec)
        with run.seeded("weights"):
            learner = self.learner(spec)
        self.fit_to_texts(learner, run, texts)
        model = self.model_class(learner, spec)
        with run.counting(model):
            results = self.test(model, texts)
        run.write_json("results", results)
        run.write("samples.txt", self.samples(model, texts.held_out))
        return model

    def fit_to_texts(self, learner: Learner, run: Run, texts: Texts) -> None:
        sources = dict.fromkeys(learner.signals, self.source(texts.train, self.batch, run.seed))
        self.source(texts.held_out, self.batch, 0)  # refuses before the training what cannot be tested after it

        def evaluate(learner: Learner) -> dict[str, float]:
            return self.quick_metrics(learner, texts)

        fit(learner, sources, **self.budget(1.0), run=run.stage("pretraining"), evaluate=evaluate)

    def model(self, spec: TextSpec) -> LanguageModel:
        return self.model_class(self.learner(spec), spec)

    def learner(self, spec: TextSpec) -> Learner:
        """A transformer under the signals."""
        return self.make_learner(Transformer(**spec.trunk), spec, self.lr)

    def make_learner(self, trunk: Trunk, spec: TextSpec, lr: float) -> Learner:
        """The trunk under the signals: AdamW, warmed up, then half a cosine."""
        signals = self.with_extra_signals(self.signals(spec), spec)
        optimizer = partial(AdamW, lr=lr, betas=self.betas, weight_decay=self.decay, fused=True)
        return Learner(trunk, signals, optimizer, partial(cosine_schedule, final=self.final_lr))

    def read_texts(self, run: Run, tokenizer: Tokenizer | None = None) -> Texts:
        """The texts that the settings name, as streams of tokens of this tokenizer, or of that of the settings. They are built
        once and kept in the cache."""
        documents = data.open_documents(self.data, self.column, self.strict)
        tokenizer = tokenizer or self.make_tokenizer(documents)
        key = [str(documents.root.resolve()), documents.column, documents.strict, tokenizer.fingerprint]
        name = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        workers = min(MAX_WORKERS, os.cpu_count() or 1) if documents.num_bytes > MANY_BYTES else 1
        stream = data.open_token_stream(documents, tokenizer, cache_folder() / "streams" / name, workers)
        train, held_out = stream.split(self.held_out, self.context)
        run.table("skipped", [{"file": file, "reason": reason} for file, reason in stream.meta["skipped"]])
        bad_bytes = stream.meta["replaced_bytes"]
        replaced = f", {counted(bad_bytes, 'byte')} replaced, not UTF-8" if bad_bytes else ""
        print_once(
            run,
            f"{len(train):,} tokens to learn from, {len(held_out):,} held out, {counted(len(stream.starts), 'document')}, "
            f"{tokenizer.vocab_size:,} kinds of token{replaced}",
        )
        return Texts(tokenizer, train, held_out, token_frequencies(train))

    def make_tokenizer(self, documents: data.Documents) -> Tokenizer:
        if self.tokenizer not in TOKENIZERS:
            return Tokenizer.load(self.tokenizer)
        return Tokenizer.train(self.tokenizer, documents, 0 if self.tokenizer == "characters" else self.vocab_size)

    def text_spec(self, texts: Texts) -> TextSpec:
        """What must be known of the texts to rebuild the model without them."""
        names = ("context", "width", "depth", "heads", "rotary", "dropout")
        sizes = {name: getattr(self, name) for name in names}
        trunk = {"vocabulary": texts.tokenizer.vocab_size, **sizes, **self.layout}
        return TextSpec(trunk, texts.tokenizer.config, texts.unigram)

    def check(self) -> None:
        super().check()
        endless = float("inf")
        check_range(self, vocab_size=(1, 1 << 24), context=(8, endless), depth=(1, 1000), width=(8, 100_000))
        check_range(self, heads=(1, self.width), dropout=(0, 0.9), batch=(1, 1 << 20), lr=(1e-8, 10), decay=(0, 10))
        check_range(self, held_out=(0.001, 0.9))
        check_heads(self.width, self.heads)


def check_heads(width: int, heads: int) -> None:
    """Raises CaudexError unless the heads of the attention share the width evenly."""
    if width % heads:
        raise CaudexError(f"--width {width} cannot be shared out among --heads {heads}; choose a multiple.")


def token_frequencies(stream: TokenStream, chunk: int = 1 << 22) -> Tensor:
    """float64 [V]: the share of each token."""
    counts = np.zeros(stream.tokenizer.vocab_size)
    for begin in range(0, len(stream), chunk):
        positions = np.arange(begin, min(begin + chunk, len(stream)))
        counts += np.bincount(stream.tokens_at(positions), minlength=len(counts))
    return torch.from_numpy(counts / counts.sum())
