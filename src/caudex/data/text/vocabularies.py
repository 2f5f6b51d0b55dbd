"""Vocabularies that are trained on documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from caudex.core.errors import CaudexError
from caudex.core.progress import ProgressBar
from caudex.core.registry import did_you_mean
from caudex.data.text.tokenizer_files import (
    BERT_SPECIAL_TOKENS,
    EOS_TOKEN,
    UNK_TOKEN,
    bert_wordpiece,
    byte_level_bpe,
    import_tokenizers,
)
from caudex.data.text.utf8 import text_chunks

DEFAULT_SIZES = {"bpe": 50_257, "wordpiece": 30_522, "characters": 0}
MAX_TRAINING_BYTES = 200_000_000
"""of more text, evenly spaced parts that add up to this"""
_FEED_SIZE = 1 << 15  # characters at a time: the library holds 256 of them


def train_tokenizer(kind: str, documents: Iterable[tuple[int, str]], size: int = 0):
    """A tokenizers.Tokenizer of at most `size` tokens; 0 takes the usual size of the kind."""
    if kind not in DEFAULT_SIZES:
        raise CaudexError(
            f"{kind!r} is no kind of tokenizer.{did_you_mean(kind, DEFAULT_SIZES)} Known: {', '.join(DEFAULT_SIZES)}."
        )
    import_tokenizers()
    trainers = {"bpe": _train_bpe, "wordpiece": _train_wordpiece, "characters": _train_characters}
    return trainers[kind](documents, size or DEFAULT_SIZES[kind])


def _train_bpe(documents: Iterable[tuple[int, str]], size: int):
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.trainers import BpeTrainer

    _check_size(size, 257, "the 256 bytes and the end of a document")
    trainer = BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[EOS_TOKEN],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer = byte_level_bpe({}, [])
    tokenizer.train_from_iterator(_training_text(documents), trainer)
    return tokenizer


def _train_wordpiece(documents: Iterable[tuple[int, str]], size: int):
    """The library numbers a word's inner characters as it meets them, which is in another order each time, and settles
    ties by number; so they are numbered beforehand, among the special tokens, which come first."""
    from tokenizers.trainers import WordPieceTrainer

    tokenizer = bert_wordpiece({})
    counts, inner, seen_words = Counter(), set(), set()
    for text in _training_text(documents):
        new_words = set(tokenizer.normalizer.normalize_str(text).split()) - seen_words
        seen_words.update(word for word in new_words if len(word) < 32)
        words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(" ".join(sorted(new_words)))]
        counts.update("".join(words))
        inner.update(*(word[1:] for word in words))
    _check_size(size, len(BERT_SPECIAL_TOKENS) + 2, "the special tokens and a letter")
    alphabet = _most_frequent(counts, (size - len(BERT_SPECIAL_TOKENS)) // 2)  # of thousands, only the frequent ones
    trainer = WordPieceTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[
            *BERT_SPECIAL_TOKENS,
            *alphabet,
            *(f"##{character}" for character in alphabet if character in inner),
        ],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_training_text(documents), trainer)
    return bert_wordpiece(tokenizer.get_vocab(with_added_tokens=False))


def _train_characters(documents: Iterable[tuple[int, str]], size: int):
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    counts = Counter()
    for _, text in documents:
        counts.update(text)
    if size:
        _check_size(size, 3, "a character")
    tokens = [EOS_TOKEN, UNK_TOKEN, *_most_frequent(counts, size - 2 if size else len(counts))]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=UNK_TOKEN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([EOS_TOKEN, UNK_TOKEN])
    return tokenizer


def _training_text(documents: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Parts of the documents, all or evenly spaced ones; cut between words."""
    step = 1 + getattr(documents, "num_bytes", 0) // MAX_TRAINING_BYTES
    i = 0
    with ProgressBar("reading for the vocabulary", getattr(documents, "num_bytes", 0)) as progress:
        for _, text in documents:
            for part in text_chunks(text, _FEED_SIZE):
                if i % step == 0:
                    yield part
                i += 1
            progress.advance(len(text))


def _most_frequent(counts: Counter, max_count: int) -> list[str]:
    """In the order of Unicode; white space counts."""
    return sorted(sorted(counts, key=lambda character: (-counts[character], character))[:max_count])


def _check_size(size: int, min_size: int, purpose: str) -> None:
    if size < min_size:
        raise CaudexError(f"a vocabulary of {size:,} has no room for {purpose}; give at least {min_size:,}.")
