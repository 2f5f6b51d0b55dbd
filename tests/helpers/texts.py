"""Small corpora, tokenizers and streams."""

import itertools
from functools import cache

import numpy as np

from caudex.data.text.token_stream import TokenStream
from caudex.data.text.tokenizers import Tokenizer

WORDS = ["the", "a", "cat", "dog", "mat", "sat", "ran", "on", "under", "and", "red", "blue", "big", "old", "saw", "who"]

AWKWARD = [
    "", " ", "  two  spaces ", "\n\n\n", "tab\tand\r\nline", "I'll we've they'd CAN'T it's's", "x" * 300, "trailing ",
    "漢字かな交じり文", "😀👩‍👩‍👧 emoji", "e\u0301 combining", "\u00a0nbsp\u2003em", "\u200bzero", "naïve café", "1234567.89e-10",
    "a<|endoftext|>b", "<|endoftext|", "[CLS] [SEP] [MASK] x", "##ing", "\x00\x07", "ПрИвЕт МИР", "مرحبا", "\u017f ﬁ İ ß", "\ufffd",
]  # fmt: skip
"""texts that tokenizers stumble over"""


def make_sentences(seed, count):
    generator = np.random.default_rng(seed)
    sentences = (" ".join(generator.choice(WORDS, generator.integers(2, 9))) for _ in range(count))
    return " ".join(f"{sentence}." for sentence in sentences)


@cache
def wordpiece_tokenizer():
    return Tokenizer.train("wordpiece", [(0, make_sentences(0, 200))], 100)


@cache
def character_tokenizer():
    return Tokenizer.train("characters", [(0, make_sentences(0, 200) + "0123456789\n")])


def numbered_stream(lengths, tokenizer=None, end=0):
    """A stream in memory: of document i, whose last token is the end, the others are 1, 2, 3, ... over all."""
    ends = np.cumsum(lengths)
    tokens = np.arange(1, 1 + ends[-1])
    tokens[ends - 1] = end
    return TokenStream(tokens, ends - lengths, ends, tokenizer)


@cache
def sentence_stream(count, long=30):
    """Documents of several sentences; made of the tokens as a tokenizer gives them."""
    tokenizer = wordpiece_tokenizer()
    rows = [[*tokenizer.encode(make_sentences(i, 4 + i % long)), tokenizer.sep_token_id] for i in range(count)]
    lengths = np.array([len(row) for row in rows])
    ends = np.cumsum(lengths)
    return TokenStream(np.array(list(itertools.chain(*rows)), dtype=np.uint16), ends - lengths, ends, tokenizer)
