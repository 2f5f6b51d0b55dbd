"""Published vocabularies: read from their files, within bounds, without running anything in them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from caudex.core.errors import CaudexError, short_message
from caudex.core.typed_json import read_public_json, short_json

EOS_TOKEN, UNK_TOKEN = "<|endoftext|>", "<|unknown|>"
ROBERTA_SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
BERT_SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MAX_TOKENS, MAX_BYTES = 1 << 22, 1 << 28
MAX_WORD_CHARACTERS = 1000
"""of WordPiece, whose time grows with their square"""
SAMPLE = "A sample: caudex\u0378 12."

_ENGLISH = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_CL100K = r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3_PATTERN, QWEN_PATTERN = _ENGLISH + _CL100K % "{1,3}", _ENGLISH + _CL100K % ""
PUBLISHED_PATTERNS = {GPT2_PATTERN, LLAMA3_PATTERN, QWEN_PATTERN, r"[\s\S]"}
"""Llama 3's is cl100k's; the last cuts into characters"""
_ESCAPE = r"\\(?:[sSdDwWnrt]|[pP]\{\^?\w{1,40}\}|[^\w\s])"
_ATOM = rf"(?:{_ESCAPE}|\[\^?(?:{_ESCAPE}|[^\\\[\]&])+\]|[^\\\[\](){{}}?*+|^$])"
_BRANCH = rf"(?:{_ATOM}\?)?{_ATOM}{{1,40}}(?:[*+?]|\{{\d{{1,3}}(?:,\d{{0,3}})?\}})?"
LINEAR_PATTERN = re.compile(rf"{_BRANCH}(?:\|{_BRANCH}){{0,40}}")
"""Regular expressions that cannot backtrack: only the last part of an alternative is repeated."""


class TokenizerSettings(Struct):
    """What tokenizer_config.json says of how text is cut; None where it says nothing."""

    tokenizer_class: str | None = None
    do_lower_case: bool | None = None
    strip_accents: bool | None = None
    tokenize_chinese_chars: bool | None = None
    add_prefix_space: bool | None = None


def load_tokenizer(folder: Path):
    """A tokenizers.Tokenizer from the files in a folder, in any of the usual formats."""
    settings_file = folder / "tokenizer_config.json"
    settings = read_public_json(settings_file, TokenizerSettings) if settings_file.is_file() else TokenizerSettings()
    if (file := folder / "tokenizer.json").is_file():
        config = read_public_json(file, dict[str, Any], MAX_BYTES)
        check_settings(config, settings, settings_file)
        return parse_tokenizer(config, file)
    for names in (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")):
        file, merges = (folder / name for name in names)
        if file.is_file() and merges.is_file():
            vocabulary = read_public_json(file, dict[str, Annotated[int, Meta(ge=0, lt=MAX_TOKENS)]], MAX_BYTES)
            return _build(byte_level_bpe, file, vocabulary, _read_merges(merges), bool(settings.add_prefix_space))
    if (file := folder / "vocab.txt").is_file():
        tokens = _read_text(file).removesuffix("\n").split("\n")  # some tokens are line ends of other kinds
        vocabulary = {token.rstrip("\r"): i for i, token in enumerate(tokens)}
        if "[UNK]" not in vocabulary:
            raise CaudexError(f"{file} cannot be read as a vocabulary: it has no [UNK].")
        return _build(bert_wordpiece, file, vocabulary, settings)
    raise CaudexError(
        f"{folder} has no vocabulary; it needs a tokenizer.json, or vocab.json and merges.txt (or encoder.json and "
        "vocab.bpe), or vocab.txt, or a GGUF file."
    )


def check_settings(config: dict[str, Any], settings: TokenizerSettings, file: Path) -> None:
    """Raises CaudexError where tokenizer_config.json and tokenizer.json say different things: then transformers follows the
    one or the other, by its version."""
    if settings.tokenizer_class in ("PreTrainedTokenizerFast", "TokenizersBackend"):
        return  # tokenizer.json alone counts
    names = {"do_lower_case": ("BertNormalizer", "lowercase"), "strip_accents": ("BertNormalizer", "strip_accents")}
    names |= {"tokenize_chinese_chars": ("BertNormalizer", "handle_chinese_chars")}
    names |= {"add_prefix_space": ("ByteLevel", "add_prefix_space")}
    for name, (kind, field) in names.items():
        value = getattr(settings, name)
        for part in (config.get("normalizer"), config.get("pre_tokenizer")):
            if value is None or not isinstance(part, dict) or part.get("type") != kind or part.get(field) == value:
                continue
            raise CaudexError(
                f"{file}: {name} is {short_json(value)}, in tokenizer.json {field} is {short_json(part.get(field))}; make the "
                "two agree, so that texts are cut alike everywhere."
            )


def parse_tokenizer(config: dict[str, Any], source: Path | str):
    """A tokenizers.Tokenizer from the content of a tokenizer.json; CaudexError, which names the source, for what cannot be
    read, and for what may take forever or cut the same text differently each time."""
    check_tokenizer(config, source)
    return _build(import_tokenizers().Tokenizer.from_str, source, msgspec.json.encode(config).decode())


def check_tokenizer(config: dict[str, Any], source: Path | str) -> None:
    for part in _objects(config):
        if isinstance(pattern := part.get("Regex"), str) and not is_bounded(pattern):
            raise CaudexError(
                f"{source} cuts text by the regular expression {short_json(pattern)}, which may take forever on some texts; "
                "caudex takes those of GPT-2, cl100k, Llama 3 and Qwen, and such as repeat only the end of an alternative."
            )
        if part.get("type") == "Replace" and len(str(part.get("content"))) > 16:
            raise CaudexError(
                f"{source} replaces text by {short_json(part['content'])}; up to 16 characters are read, for texts must not "
                "grow without end."
            )
    replacements = sum(part.get("type") in ("Replace", "Prepend") for part in _objects(config))
    if replacements > 8 and any(len(str(part.get("content"))) > 1 for part in _objects(config)):
        raise CaudexError(f"{source} replaces text {replacements:,} times; up to 8 times are read.")
    model = config.get("model")
    model = model if isinstance(model, dict) else {}
    if model.get("dropout"):
        raise CaudexError(
            f"{source}: model.dropout is {short_json(model['dropout'])}, so that the same text would be cut differently each "
            "time; set it to null."
        )
    limit = model.get("max_input_chars_per_word")
    if isinstance(limit, int) and limit > MAX_WORD_CHARACTERS:
        raise CaudexError(f"{source}: max_input_chars_per_word is {limit:,}; at most {MAX_WORD_CHARACTERS:,} is read.")


def import_tokenizers():
    try:
        import tokenizers
    except ImportError:
        raise CaudexError("text needs the package tokenizers: pip install 'caudex[text]'.") from None
    return tokenizers


def byte_level_bpe(vocabulary: dict[str, int], merges: list[tuple[str, str]], add_prefix_space: bool = False):
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    tokenizer = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([EOS_TOKEN] if EOS_TOKEN in vocabulary else [])
    if all(token in vocabulary for token in ROBERTA_SPECIAL_TOKENS):  # of its mask the space before is a part
        flags = [(token, token == "<mask>") for token in ROBERTA_SPECIAL_TOKENS]
        tokenizer.add_special_tokens([tokenizers.AddedToken(token, lstrip=lstrip) for token, lstrip in flags])
    return tokenizer


def bert_wordpiece(vocabulary: dict[str, int], settings: TokenizerSettings | None = None):
    import tokenizers
    from tokenizers import decoders, models, normalizers, pre_tokenizers

    settings = settings or TokenizerSettings()
    tokenizer = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        lowercase=settings.do_lower_case is not False,
        strip_accents=settings.strip_accents,
        handle_chinese_chars=settings.tokenize_chinese_chars is not False,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([token for token in BERT_SPECIAL_TOKENS if token in vocabulary])
    return tokenizer


def _build(build, source: Path | str, *content):
    """A tokenizers.Tokenizer; CaudexError for whatever the library says of the content."""
    import_tokenizers()
    try:
        with _silent_panics():
            tokenizer = build(*content)
            tokenizer.decode(tokenizer.encode(SAMPLE).ids)  # without a token for what is unknown it raises only now
        ids = list(tokenizer.get_vocab().values())
    except BaseException as error:  # the library raises nothing more special, and panics with no Exception
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise CaudexError(f"{source} cannot be read as a vocabulary: {short_message(error)}.") from None
    reason = "" if ids else "it has no tokens"
    if ids and max(ids) >= MAX_TOKENS:
        reason = f"it has the id {max(ids):,}; at most {MAX_TOKENS:,} tokens are read"
    if len(set(ids)) < len(ids):
        reason = f"two tokens have the id {Counter(ids).most_common(1)[0][0]:,}"
    if reason:
        raise CaudexError(f"{source} cannot be read as a vocabulary: {reason}.")
    return tokenizer


@contextmanager
def _silent_panics() -> Iterator[None]:
    """A panic prints a backtrace on the file of standard error, past Python; its message is in the exception, too."""
    try:
        original = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)
        os.close(nothing)


def is_bounded(pattern: str) -> bool:
    """Whether matching takes time in proportion to the text."""
    return pattern in PUBLISHED_PATTERNS or (len(pattern) <= 500 and bool(LINEAR_PATTERN.fullmatch(pattern)))


def _objects(content: Any) -> Iterator[dict]:
    """Every object in the parts of a tokenizer.json, without its vocabulary."""
    if isinstance(content, dict):
        yield content
    values = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for name, value in values:
        if name not in ("vocab", "merges", "added_tokens"):
            yield from _objects(value)


def _read_text(file: Path) -> str:
    if file.stat().st_size > MAX_BYTES:
        raise CaudexError(f"{file} has over {MAX_BYTES >> 20} MB, too many for a vocabulary; fetch it again.")
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise CaudexError(f"{file} is not UTF-8 at byte {error.start:,}; fetch it again.") from None


def _read_merges(file: Path) -> list[tuple[str, str]]:
    """GPT-2's merges: a pair a line; the first line may name the version."""
    lines = _read_text(file).split("\n")
    lines = lines[1:] if lines[0].startswith("#version") else lines
    return [tuple(line.split(" ")) for line in lines if line.strip()]
