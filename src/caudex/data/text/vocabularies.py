"""Vocabularies: learned from documents, or read as others have published them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from caudex.core.errors import CaudexError, short_message
from caudex.core.progress import ProgressBar
from caudex.core.registry import did_you_mean
from caudex.data.text.utf8 import pieces_of_text

END, UNKNOWN = "<|endoftext|>", "<|unknown|>"
BERTS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
USUAL = {"bpe": 50_257, "wordpiece": 30_522, "characters": 0}
LEARNED_FROM = 200_000_000
"""bytes; of more text, evenly spread parts that add up to this"""
_FED = 1 << 15  # characters at a time: the library holds 256 of them


def learn(kind: str, documents: Iterable[tuple[int, str]], size: int = 0):
    """A tokenizers.Tokenizer of at most `size` tokens, 0 for what is usual."""
    if kind not in USUAL:
        raise CaudexError(f"{kind!r} is no kind of tokenizer.{did_you_mean(kind, USUAL)} Known: {', '.join(USUAL)}.")
    library()
    return {"bpe": _bpe, "wordpiece": _wordpiece, "characters": _characters}[kind](documents, size or USUAL[kind])


def published(folder: Path):
    """A tokenizers.Tokenizer of the files in a folder, whichever of the known ones are there."""
    tokenizers = library()
    file = folder
    try:
        if (file := folder / "tokenizer.json").is_file():
            return tokenizers.Tokenizer.from_file(str(file))
        for names in (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")):
            file, merges = (folder / name for name in names)
            if file.is_file() and merges.is_file():
                return _byte_level(json.loads(file.read_text("utf-8")), _pairs(merges))
        if (file := folder / "vocab.txt").is_file():
            tokens = file.read_text("utf-8").removesuffix("\n").split("\n")  # some tokens are line ends of other kinds
            vocabulary = {token.rstrip("\r"): place for place, token in enumerate(tokens)}
            if "[UNK]" not in vocabulary:
                raise ValueError("it has no [UNK]")
            return _bert(vocabulary, **_settings(folder))
    except Exception as error:  # the library raises nothing more special
        raise CaudexError(f"{file} cannot be read as a vocabulary: {short_message(error)}.") from None
    raise CaudexError(
        f"{folder} has no vocabulary; it needs a tokenizer.json, or vocab.json and merges.txt (or encoder.json and "
        "vocab.bpe), or vocab.txt."
    )


def library():
    try:
        import tokenizers
    except ImportError:
        raise CaudexError("text needs the package tokenizers: pip install 'caudex[text]'.") from None
    return tokenizers


# -- learning -------------------------------------------------------------------------------------------------------


def _bpe(documents: Iterable[tuple[int, str]], size: int):
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.trainers import BpeTrainer

    _room(size, 257, "the 256 bytes and the end of a document")
    trainer = BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[END],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer = _byte_level({}, [])
    tokenizer.train_from_iterator(_sample(documents), trainer)
    return tokenizer


def _wordpiece(documents: Iterable[tuple[int, str]], size: int):
    """The library numbers a word's inner characters as it meets them, which is in another order each time, and settles
    ties by number; so they are numbered beforehand, among the special tokens, which come first."""
    from tokenizers.trainers import WordPieceTrainer

    tokenizer = _bert({})
    frequent, inner, seen = Counter(), set(), set()
    for text in _sample(documents):
        new = set(tokenizer.normalizer.normalize_str(text).split()) - seen
        seen.update(word for word in new if len(word) < 32)
        words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(" ".join(sorted(new)))]
        frequent.update("".join(words))
        inner.update(*(word[1:] for word in words))
    _room(size, len(BERTS) + 2, "the special tokens and a letter")
    kept = _most_frequent(frequent, (size - len(BERTS)) // 2)  # where there are thousands, some must do without
    trainer = WordPieceTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[*BERTS, *kept, *(f"##{character}" for character in kept if character in inner)],
        initial_alphabet=kept,
        limit_alphabet=len(kept),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_sample(documents), trainer)
    return _bert(tokenizer.get_vocab(with_added_tokens=False))


def _characters(documents: Iterable[tuple[int, str]], size: int):
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    frequent = Counter()
    for _, text in documents:
        frequent.update(text)
    if size:
        _room(size, 3, "a character")
    tokens = [END, UNKNOWN, *_most_frequent(frequent, size - 2 if size else len(frequent))]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return _with_specials(tokenizer, [END, UNKNOWN])


def _sample(documents: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Parts of the documents, all or evenly spread ones; cut between words."""
    step = 1 + getattr(documents, "bytes", 0) // LEARNED_FROM
    place = 0
    with ProgressBar("reading for the vocabulary", getattr(documents, "bytes", 0)) as progress:
        for _, piece in documents:
            for part in pieces_of_text(piece, _FED):
                if place % step == 0:
                    yield part
                place += 1
            progress.advance(len(piece))


def _most_frequent(counts: Counter, most: int) -> list[str]:
    """In the order of Unicode; white space counts."""
    return sorted(sorted(counts, key=lambda character: (-counts[character], character))[:most])


def _room(size: int, needed: int, what: str) -> None:
    if size < needed:
        raise CaudexError(f"a vocabulary of {size:,} has no room for {what}; give at least {needed:,}.")


# -- as published ---------------------------------------------------------------------------------------------------


def _byte_level(vocabulary: dict[str, int], merges: list[tuple[str, str]]):
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    tokenizer = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _with_specials(tokenizer, [END] if END in vocabulary else [])


def _bert(vocabulary: dict[str, int], do_lower_case=True, strip_accents=None, tokenize_chinese_chars=True):
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    tokenizer = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        lowercase=do_lower_case, strip_accents=strip_accents, handle_chinese_chars=tokenize_chinese_chars
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return _with_specials(tokenizer, [token for token in BERTS if token in vocabulary])


def _with_specials(tokenizer, tokens: list[str]):
    tokenizer.add_special_tokens(tokens)
    return tokenizer


def _pairs(file: Path) -> list[tuple[str, str]]:
    """GPT-2's merges: a pair a line; the first line may name the version."""
    lines = file.read_text("utf-8").split("\n")
    lines = lines[1:] if lines[0].startswith("#version") else lines
    return [tuple(line.split(" ")) for line in lines if line.strip()]


def _settings(folder: Path) -> dict:
    """What BERT's tokenizer_config.json says of the normaliser."""
    file = folder / "tokenizer_config.json"
    told = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    known = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
    return {name: told[name] for name in known if name in told}
