"""JSON that a stranger may have written, read as a type, within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from caudex.core.errors import CaudexError, short_message

T = TypeVar("T")
MAX_BYTES = 1 << 24


def read_json(file: Path, kind: type[T], max_bytes: int = MAX_BYTES) -> T:
    """The content of the file; CaudexError where it is not of this type, not JSON, nested too deeply or too large."""
    with file.open("rb") as opened:
        content = opened.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise CaudexError(f"{file} has over {max_bytes >> 20} MB, too many for what it should be; fetch it again.")
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise invalid_value(file, error, {}) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CaudexError(f"{file} is no JSON that can be read ({short_message(error)}); fetch it again.") from None


def convert_object(content: Mapping[str, Any], kind: type[T], file: Path) -> T:
    """What `read_json` gave, as a struct; CaudexError with the name and the value that does not fit."""
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise invalid_value(file, error, content) from None


def invalid_value(file: Path, error: msgspec.ValidationError, content: Mapping[str, Any]) -> CaudexError:
    reason, _, location = str(error).partition(" - at `$")
    reason, name = reason[:1].lower() + reason[1:], location.lstrip(".").rstrip("`").partition("[")[0]
    reason = "not a value that caudex knows" if reason.startswith("invalid enum value") else reason
    where = f": {name} is {short_json(content[name])}" if name in content else f": {name}" if name else ""
    return CaudexError(f"{file}{where} ({reason}); fetch it again.")


def short_json(value: Any) -> str:
    """The value as JSON, at most 60 characters of it."""
    text = msgspec.json.encode(value).decode(errors="replace")
    return text if len(text) <= 60 else text[:57] + "..."
