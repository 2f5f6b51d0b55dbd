"""The vocabulary in a GGUF file, as the content of a tokenizer.json."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from caudex.core.errors import CaudexError
from caudex.core.gguf_header import GGUFHeader, describe_value
from caudex.core.typed_json import short_json
from caudex.data.text.tokenizer_files import GPT2_PATTERN, LLAMA3_PATTERN, MAX_TOKENS, QWEN_PATTERN

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
"""types of tokens; 5 is unused, 6 a byte"""
MAX_PIECE_CHARACTERS = 256
"""of SentencePiece's tokens; the merges that lead to a token take time with the square of its length"""
FIELDS_WITHOUT_EFFECT = re.compile(
    r"tokenizer\.(chat_templates?(\..*)?|huggingface\.json|rwkv\.world)|tokenizer\.ggml\.(token_type_count|\w+_token_id)"
)
_FIELDS = [
    "model",
    "pre",
    "tokens",
    "token_type",
    "scores",
    "merges",
    "add_bos_token",
    "add_eos_token",
    "add_space_prefix",
]


def _split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def _byte_level(*parts: dict[str, Any], use_regex: bool = False) -> dict[str, Any]:
    last = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}
    return {"type": "Sequence", "pretokenizers": [*parts, last]} if parts else last


_DIGITS = {"type": "Digits", "individual_digits": True}
PRE_TOKENIZERS = {
    "gpt-2": _byte_level(use_regex=True),
    "smollm": _byte_level(_DIGITS, use_regex=True),
    "starcoder": _byte_level(_DIGITS, use_regex=True),
    "qwen2": _byte_level(_split(QWEN_PATTERN)),
    **dict.fromkeys(("llama-bpe", "llama-v3", "llama3"), _byte_level(_split(LLAMA3_PATTERN))),
    "default": _byte_level(
        _split(r"[\p{P}\$\+<=>\^~\|]+"), _split(GPT2_PATTERN), _split(r"\p{N}+"), _split("[0-9][0-9][0-9]")
    ),
}
"""by tokenizer.ggml.pre, as llama.cpp and the published tokenizer.json of the models cut text"""


def gguf_tokenizer_config(header: GGUFHeader) -> dict[str, Any]:
    """For `parse_tokenizer`: byte-level BPE, or SentencePiece's BPE with bytes for what is unknown.

    Raises CaudexError for another kind, and for a field that changes how text is cut and is not computed here.
    """
    check_tokenizer_fields(header)
    kind = header.required("tokenizer.ggml.model", str)
    if kind not in ("gpt2", "llama"):
        raise CaudexError(
            f"{header.file} has a tokenizer of the kind {short_json(kind)}; caudex reads gpt2 (byte-level BPE) and llama "
            "(SentencePiece's BPE)."
        )
    tokens = header.required("tokenizer.ggml.tokens", list)
    types = token_types(header, tokens)
    ids = {token: i for i, token in enumerate(tokens)}
    if len(ids) < len(tokens):
        token = next(token for i, token in enumerate(tokens) if ids[token] != i)
        raise CaudexError(f"{header.file} has the token {short_json(token)} twice; convert it anew.")
    parts = byte_level_parts(header) if kind == "gpt2" else sentencepiece_parts(header, ids, types)
    parts["model"] = {"type": "BPE", "vocab": ids, **parts["model"]}
    special = [i for i, kind in enumerate(types) if kind in (UNKNOWN, CONTROL, USER_DEFINED)]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    added = [{"id": i, "content": tokens[i], **flags, "special": types[i] != USER_DEFINED} for i in special]
    processor = post_processor(header, tokens, kind)
    return {"version": "1.0", "added_tokens": added, "post_processor": processor, **parts}


def special_token_id(header: GGUFHeader, name: str) -> int | None:
    """The id of bos, eos, eot, ...; CaudexError where there is no such token."""
    id, tokens = header.field(f"tokenizer.ggml.{name}_token_id", int), header.required("tokenizer.ggml.tokens", list)
    if id is not None and not 0 <= id < len(tokens):
        raise CaudexError(
            f"{header.file}: tokenizer.ggml.{name}_token_id is {id:,}, and there are {len(tokens):,} tokens."
        )
    return id


def check_tokenizer_fields(header: GGUFHeader) -> None:
    for name, value in header.fields.items():
        if not name.startswith("tokenizer.") or FIELDS_WITHOUT_EFFECT.fullmatch(name):
            continue
        is_empty = not len(value) if isinstance(value, np.ndarray) else not value
        if name.removeprefix("tokenizer.ggml.") not in _FIELDS and not is_empty:
            raise CaudexError(
                f"{header.file}: {short_json(name)} is {describe_value(value)}; caudex does not know this field, and text "
                "may be cut differently with it."
            )


def token_types(header: GGUFHeader, tokens: list[str]) -> list[int]:
    if not 0 < len(tokens) <= MAX_TOKENS:
        raise CaudexError(f"{header.file} has {len(tokens):,} tokens; from 1 to {MAX_TOKENS:,} are read.")
    types = header.required("tokenizer.ggml.token_type", np.ndarray)
    if len(types) != len(tokens):
        raise CaudexError(f"{header.file} has {len(tokens):,} tokens and the types of {len(types):,}; convert it anew.")
    return types.tolist()


def byte_level_parts(header: GGUFHeader) -> dict[str, Any]:
    """As GPT-2's (Radford et al. 2019, section 2.2)."""
    name = header.required("tokenizer.ggml.pre", str)
    if name not in PRE_TOKENIZERS:
        raise CaudexError(
            f"{header.file} cuts text as {short_json(name)} (tokenizer.ggml.pre); caudex does it as {', '.join(PRE_TOKENIZERS)}: "
            "import the model's folder, with its tokenizer.json."
        )
    if header.field("tokenizer.ggml.add_space_prefix", bool):
        raise CaudexError(f"{header.file}: tokenizer.ggml.add_space_prefix is true; caudex does not compute that.")
    return {
        "normalizer": {"type": "NFC"} if name == "qwen2" else None,
        "pre_tokenizer": PRE_TOKENIZERS[name],
        "decoder": _byte_level(use_regex=True),
        "model": {
            "merges": merges(header),
            "ignore_merges": name.startswith("llama"),
        },  # Llama 3 takes whole words first
    }


def sentencepiece_parts(header: GGUFHeader, ids: dict[str, int], types: list[int]) -> dict[str, Any]:
    """The pair whose token has the highest score is merged first (Kudo and Richardson 2018)."""
    has_prefix = header.field("tokenizer.ggml.add_space_prefix", bool, True)
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    normalizers = [{"type": "Prepend", "prepend": "▁"}, spaces] if has_prefix else [spaces]
    decoders = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    decoders += [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if has_prefix else []
    unknown = special_token_id(header, "unknown")
    unknown = types.index(UNKNOWN) if unknown is None and UNKNOWN in types else unknown
    pairs = merges(header) if "tokenizer.ggml.merges" in header.fields else merges_by_score(header, ids, types)
    return {
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "merges": pairs,
            "unk_token": None if unknown is None else list(ids)[unknown],
            "fuse_unk": True,
            "byte_fallback": True,
        },
    }


def merges(header: GGUFHeader) -> list[list[str]]:
    pairs = [pair.split(" ") for pair in header.required("tokenizer.ggml.merges", list)]
    if others := [pair for pair in pairs if len(pair) != 2]:
        raise CaudexError(
            f"{header.file}: the merge {short_json(' '.join(others[0]))} is no pair of tokens; convert it anew."
        )
    return pairs


def merges_by_score(header: GGUFHeader, ids: dict[str, int], types: list[int]) -> list[tuple[str, str]]:
    """Every way to put a token together from two others, best token first."""
    scores = header.required("tokenizer.ggml.scores", np.ndarray)
    if len(scores) != len(ids) or not np.isfinite(scores).all():
        raise CaudexError(f"{header.file}: tokenizer.ggml.scores are not {len(ids):,} finite numbers; convert it anew.")
    ranked_pairs = []
    for token, id in ids.items():
        if types[id] != NORMAL:
            continue
        if len(token) > MAX_PIECE_CHARACTERS:
            raise CaudexError(
                f"{header.file} has a token of {len(token):,} characters; up to {MAX_PIECE_CHARACTERS} are read."
            )
        for i in range(1, len(token)):
            left, right = token[:i], token[i:]
            if left in ids and right in ids:
                ranked_pairs.append((-scores[id], ids[left], ids[right], left, right))
    return [(left, right) for *_, left, right in sorted(ranked_pairs)]


def post_processor(header: GGUFHeader, tokens: list[str], kind: str) -> dict[str, Any] | None:
    """What is put before and behind a text by itself."""
    is_llama = kind == "llama" or header.required("tokenizer.ggml.pre", str).startswith("llama")
    has_bos = header.field("tokenizer.ggml.add_bos_token", bool, is_llama)  # llama.cpp's default
    has_eos = header.field("tokenizer.ggml.add_eos_token", bool, False)
    prefix_ids = [special_token_id(header, "bos")] if has_bos else []
    suffix_ids = [special_token_id(header, "eos")] if has_eos else []
    if None in (*prefix_ids, *suffix_ids):
        raise CaudexError(f"{header.file} puts a token around every text, and does not say which; convert it anew.")
    if not prefix_ids and not suffix_ids:
        return None

    def template(*names: str) -> list[dict]:
        parts = []
        for segment, name in enumerate(names):
            parts += [{"SpecialToken": {"id": tokens[id], "type_id": segment}} for id in prefix_ids]
            parts += [{"Sequence": {"id": name, "type_id": segment}}]
            parts += [{"SpecialToken": {"id": tokens[id], "type_id": segment}} for id in suffix_ids]
        return parts

    special = {tokens[id]: {"id": tokens[id], "ids": [id], "tokens": [tokens[id]]} for id in (*prefix_ids, *suffix_ids)}
    return {
        "type": "TemplateProcessing",
        "single": template("A"),
        "pair": template("A", "B"),
        "special_tokens": special,
    }
