"""A task's prompt around each text, for models that read from left to right."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from caudex.core.errors import CaudexError, counted
from caudex.core.trust import check_trusted
from caudex.data.text.text_batches import EncodedText
from caudex.data.text.tokenizers import Tokenizer

PLACE, SECOND_PLACE = "{text}", "{second}"
MIN_TEXT_TOKENS = 8
"""that a prompt must leave for the text"""
MAX_PROMPT_BYTES = 1 << 16


def read_prompt(prompt: str, has_pairs: bool = False) -> str:
    """The prompt itself, or the content of the file that it names. `\\n` in a prompt that is no file is a new line. White space at
    the end goes: a class's name begins with its space.

    Raises CaudexError for one without {text}, or, with pairs of texts, without {second}.
    """
    name = prompt
    file = os.path.expanduser(prompt)  # noqa: PTH111 - unlike Path's, takes any text
    if PLACE not in prompt and os.path.isfile(file):  # noqa: PTH113
        check_trusted(prompt, f"reads its prompt from the file {prompt}")
        try:
            with Path(file).open("rb") as opened:
                content = opened.read(MAX_PROMPT_BYTES + 1)
        except OSError as error:
            raise CaudexError(f"--prompt {prompt} cannot be read ({error.strerror}).") from None
        if len(content) > MAX_PROMPT_BYTES:
            raise CaudexError(
                f"--prompt {prompt} has over {MAX_PROMPT_BYTES >> 10} KB, too many for a prompt; shorten it."
            )
        try:
            prompt = content.decode().removeprefix("\ufeff").replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise CaudexError(f"--prompt {prompt} is not UTF-8; save it so.") from None
    else:
        prompt = prompt.replace("\\n", "\n")
    places = [PLACE] + [SECOND_PLACE] * has_pairs
    if missing := [place for place in places if place not in prompt]:
        raise CaudexError(
            f"--prompt {name[:60]!r} has no {missing[0]}, where the text goes; write it as in 'Review: {{text}}\\nSentiment:', or name a "
            "file that holds such a prompt."
        )
    return str(prompt).rstrip()


def default_prompt(label: str, has_pairs: bool = False) -> str:
    """The texts, and then the name of the column of labels."""
    second = f"\nText: {SECOND_PLACE}" * has_pairs
    return f"Text: {PLACE}{second}\n{label[:1].upper()}{label[1:]}:"


def encode_prompts(
    tokenizer: Tokenizer, prompt: str, texts: Sequence[str], text_pairs: Sequence[str] | None, max_length: int
) -> list[EncodedText]:
    """Tokens of the prompt with each text, or pair of texts, in its place, behind the token that begins texts if there is one. Of what is
    too long the end of the text is cut off, never the prompt. Raises CaudexError for a prompt that leaves no room for a text."""
    prefix = [] if tokenizer.start_token_id is None else [tokenizer.start_token_id]
    max_length -= len(prefix)
    room = max_length - len(tokenizer.encode(fill_prompt(prompt, "", ""), False))
    if room < MIN_TEXT_TOKENS:
        raise CaudexError(
            f"the prompt {prompt[:60]!r} alone has {counted(max_length - room, 'token')} of the {max_length:,} that are seen at once; "
            "shorten it, or raise --context."
        )
    pairs = list(zip(texts, text_pairs or [""] * len(texts), strict=True))
    rows = tokenizer.encode_batch([fill_prompt(prompt, *pair) for pair in pairs], False)
    for i, tokens in enumerate(rows):
        length = room // (2 if text_pairs else 1)
        while len(tokens) > max_length:
            tokens = tokenizer.encode(
                fill_prompt(prompt, *(cut_text(tokenizer, part, length) for part in pairs[i])), False
            )
            length -= max(1, len(tokens) - max_length)  # cut, a text may have other tokens
        rows[i] = tokens
    return [([*prefix, *tokens], [0] * (len(prefix) + len(tokens))) for tokens in rows]


def fill_prompt(prompt: str, text: str, second: str) -> str:
    """The prompt with the texts in their places, which may spell out a place themselves."""
    parts = re.split(f"({re.escape(PLACE)}|{re.escape(SECOND_PLACE)})", prompt)
    return "".join({PLACE: text, SECOND_PLACE: second}.get(part, part) for part in parts)


def cut_text(tokenizer: Tokenizer, text: str, length: int) -> str:
    """The beginning of the text, as far as its first `length` tokens go."""
    if length <= 0:
        return ""
    if tokenizer.kind == "characters":
        return text[:length]
    offsets = tokenizer.backend.encode(text, add_special_tokens=False).offsets
    return text if len(offsets) <= length else text[: offsets[length - 1][1]]
