"""What the systems that learn from texts without labels share."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW

from caudex import data
from caudex.core.console import print_once
from caudex.core.errors import CaudexError
from caudex.core.fetch import cache_folder
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.run import Run
from caudex.core.signal import Signal
from caudex.core.specs import TextSpec
from caudex.core.system import check_range
from caudex.data import LabelledTexts, Tokenizer, TokenStream
from caudex.data.images import splits
from caudex.evaluation.probing import linear_probe_accuracy
from caudex.models.language_model import LanguageModel
from caudex.trunks import Transformer

KINDS = ("bpe", "wordpiece", "characters")
MUCH, PROCESSES = 20_000_000, 3
"""bytes of text from which on several processes cut it into tokens; how many, at 190 MB of memory each"""


@dataclass
class OnTexts:
    """The settings of systems that learn from texts: fields only, so that what a system does stands in its file."""

    data: str = "shakespeare"
    """shakespeare, brown, ..., or a file or folder of .txt, .md, .jsonl, .csv"""
    column: str | None = None
    """of a .jsonl or .csv: the column that holds the text; default: text"""
    strict: bool = False
    """refuse bytes that are not UTF-8, instead of replacing and counting them"""
    tokens: str = "bpe"
    """how text is cut: bpe, wordpiece, characters; or a folder with a published vocabulary"""
    vocabulary: int = 2048
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


class Texts(NamedTuple):
    tokenizer: Tokenizer
    known: TokenStream
    held: TokenStream
    shares: Tensor  # float64 [V]: how often each token comes, of all that are learned from

    @property
    def unigram(self) -> float:
        """The loss of one who knows the shares alone: their entropy, in nats."""
        return torch.special.entr(self.shares).sum().item()


def read(settings: OnTexts, run: Run, window: int) -> Texts:
    """The texts that the settings name, as streams of tokens, which are built once and kept in the cache."""
    documents = data.open_documents(settings.data, settings.column, settings.strict)
    if settings.tokens in KINDS:
        most = 0 if settings.tokens == "characters" else settings.vocabulary
        tokenizer = Tokenizer.train(settings.tokens, documents, most)
    else:
        tokenizer = Tokenizer.load(settings.tokens)
    where = [str(documents.root.resolve()), documents.column, documents.strict, tokenizer.fingerprint]
    name = hashlib.sha256(repr(where).encode()).hexdigest()[:16]
    workers = min(PROCESSES, os.cpu_count() or 1) if documents.num_bytes > MUCH else 1
    whole = data.open_token_stream(documents, tokenizer, cache_folder() / "streams" / name, workers)
    known, held = whole.split(settings.held_out, window)
    run.table("skipped", [{"file": file, "reason": reason} for file, reason in whole.meta["skipped"]])
    replaced = (
        f", {whole.meta['replaced_bytes']:,} bytes that were not UTF-8 replaced" if whole.meta["replaced_bytes"] else ""
    )
    print_once(
        run,
        f"{len(known):,} tokens to learn from, {len(held):,} held out, {len(whole.starts):,} documents, "
        f"{tokenizer.vocab_size:,} kinds of token{replaced}",
    )
    return Texts(tokenizer, known, held, frequencies(known))


def frequencies(stream: TokenStream, at_once: int = 1 << 22) -> Tensor:
    """float64 [V]: how often each token comes, of all."""
    counts = np.zeros(stream.tokenizer.vocab_size)
    for begin in range(0, len(stream), at_once):
        places = np.arange(begin, min(begin + at_once, len(stream)))
        counts += np.bincount(stream.tokens_at(places), minlength=len(counts))
    return torch.from_numpy(counts / counts.sum())


def spec_of(settings: OnTexts, texts: Texts, made: dict) -> TextSpec:
    """What must be known to rebuild the model without its texts. `made` are further settings of the trunk."""
    sizes = ("context", "width", "depth", "heads", "rotary", "dropout")
    trunk = {"vocabulary": texts.tokenizer.vocab_size, **{name: getattr(settings, name) for name in sizes}, **made}
    return TextSpec(trunk, texts.tokenizer.config, texts.unigram)


def learner(settings: OnTexts, spec: TextSpec, signals: Mapping[str, Signal], betas=(0.9, 0.95), last=0.1) -> Learner:
    """A transformer under these signals: AdamW, warmed up, then half a cosine down to a tenth of the learning rate."""
    optimizer = partial(AdamW, lr=settings.lr, betas=betas, weight_decay=settings.decay, fused=True)
    return Learner(Transformer(**spec.trunk), signals, optimizer, partial(cosine_schedule, final=last))


def worth(model: LanguageModel, texts: LabelledTexts, seed: int, most: int = 4000) -> float:
    """What the features are worth: `on_features`, learned from three quarters of the texts and tested on the others; of
    more than `most` texts, some."""
    texts = texts.take(splits.order(len(texts), seed, "worth")[:most])
    cut = len(texts) * 3 // 4
    return on_features(model, texts.take(torch.arange(cut)), texts.take(torch.arange(cut, len(texts))))


def on_features(model: LanguageModel, known: LabelledTexts, asked: LabelledTexts) -> float:
    """Accuracy of logistic regression on the mean of the tokens' features; the trunk stays as it is."""
    here, there = (model.mean_features(part.texts, part.text_pairs) for part in (known, asked))
    return linear_probe_accuracy(here, known.labels, there, asked.labels)


def check(settings: OnTexts) -> None:
    """Raises CaudexError for a setting out of range."""
    endless = float("inf")
    check_range(settings, vocabulary=(1, endless), context=(8, endless), depth=(1, 1000), width=(8, 100_000))
    check_range(settings, heads=(1, settings.width), dropout=(0, 0.9), batch=(1, 1 << 20), lr=(1e-8, 10), decay=(0, 10))
    check_range(settings, held_out=(0.001, 0.9))
    if settings.width % settings.heads:
        raise CaudexError(
            f"--width {settings.width} cannot be shared out among --heads {settings.heads}; choose a multiple."
        )
