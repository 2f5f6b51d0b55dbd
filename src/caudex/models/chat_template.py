"""A text as the turn of a chat, in the form that the model was trained with: its publisher's jinja2 template."""

from __future__ import annotations

import importlib.util
import json
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from caudex.core.errors import CaudexError
from caudex.core.typed_json import decode_json, read_public_json
from caudex.data import Tokenizer

MAX_TEMPLATE = 1 << 18
MAX_CHARACTERS = 1_000_000
"""that a template may make of one text"""
SECONDS, WALL_SECONDS, MEMORY = 2, 60, 1 << 30
"""of computing, and on the clock of a busy machine; bytes"""


class NamedTemplate(Struct):
    """One of several templates in tokenizer_config.json."""

    name: str
    template: Annotated[str, Meta(max_length=MAX_TEMPLATE)]


class ChatSettings(Struct):
    """What tokenizer_config.json says of chats."""

    chat_template: Annotated[str, Meta(max_length=MAX_TEMPLATE)] | list[NamedTemplate] | None = None


class Rendered(Struct):
    """What the process that renders answers."""

    text: str | None = None
    error: str = ""


def read_chat_template(folder: Path) -> str:
    """The template of a public folder: chat_template.jinja, else that in tokenizer_config.json, of several the default one; "" where there is none."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        with file.open(encoding="utf-8", errors="replace") as opened:
            template = opened.read(MAX_TEMPLATE + 1)
        if len(template) > MAX_TEMPLATE:
            raise CaudexError(f"{file} has over {MAX_TEMPLATE:,} characters, too many for a template; fetch it again.")
        return template
    file = folder / "tokenizer_config.json"
    template = read_public_json(file, ChatSettings).chat_template if file.is_file() else None
    if isinstance(template, list):
        template = next((part.template for part in template if part.name == "default"), None)
    return template or ""


def encode_chat(tokenizer: Tokenizer, template: str, text: str, eos_token_ids: tuple[int, ...] = ()) -> list[int]:
    """The tokens of a chat in which the user says `text` and the model is next.

    Special tokens are parsed in what the template writes, not in the text. Raises CaudexError for a template that fails, takes too
    long, makes too much, or leaves the text out.
    """
    stripped = text.strip()
    place = f"text{secrets.token_hex(16)}"  # stands for the text, so that the template's own words are told from it
    lead, _, trail = text.partition(stripped) if stripped else (text, "", "")
    content = f"{lead}{place if stripped else ''}{trail}"
    eos_tokens = [tokenizer.id_to_token(id) for id in (*eos_token_ids, tokenizer.eos_token_id) if id is not None]
    start_id = tokenizer.start_token_id
    variables = {
        "messages": [{"role": "user", "content": content}],
        "add_generation_prompt": True,
        "bos_token": (tokenizer.id_to_token(start_id) if start_id is not None else None) or "",
        "eos_token": (eos_tokens or [""])[0],
        "tools": None,
        "documents": None,
    }
    rendered = render_template(template, variables)
    if stripped and place not in rendered:
        raise CaudexError("the chat template leaves the text out; generate without --chat.")
    ids = []
    for part, special in split_special(tokenizer, rendered):
        ids += [special] if special is not None else tokenizer.encode(part.replace(place, stripped), False)
    return ids


def split_special(tokenizer: Tokenizer, text: str) -> Iterator[tuple[str, int | None]]:
    """The text in parts: special tokens with their ids, and what stands between them with None."""
    special = [token["content"] for token in tokenizer.config.get("added_tokens", []) if token.get("special")]
    special = sorted({token for token in special if token in tokenizer.vocab}, key=len, reverse=True)
    parts = re.split(f"({'|'.join(map(re.escape, special))})", text) if special else [text]
    for number, part in enumerate(parts):
        if part:
            yield part, tokenizer.vocab[part] if number % 2 else None


def render_template(template: str, variables: dict) -> str:
    """The text that the template makes, in a process with bounds; see `render_template.py`."""
    if importlib.util.find_spec("jinja2") is None:
        raise CaudexError("--chat needs the package jinja2: pip install 'caudex[text]'.")
    request = {"template": str(template), "variables": variables, "max_characters": MAX_CHARACTERS}
    request |= {"seconds": SECONDS, "memory": MEMORY}
    script = Path(__file__).with_name("render_template.py")
    try:
        process = subprocess.run(
            [sys.executable, "-P", str(script)],  # -P: no jinja2.py of the current folder is imported
            input=json.dumps(request).encode(),
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        process = None
    if process is None or process.returncode:
        raise CaudexError(
            f"the chat template did not end within {SECONDS} s and {MEMORY >> 30} GB; generate without --chat."
        )
    answer = decode_json(process.stdout, Rendered, "the answer of the template's process")
    if answer.text is None:
        raise CaudexError(f"the chat template fails ({answer.error.rstrip('.')}); generate without --chat.")
    return answer.text
