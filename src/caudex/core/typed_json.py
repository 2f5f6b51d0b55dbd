"""JSON that others may have written, as typed values: files of runs, and those of published models.

Whatever stands there, it ends in one sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from caudex.core.errors import CaudexError, short_message

T = TypeVar("T")
MAX_PUBLIC_BYTES = 1 << 24
"""of a small file of a publisher"""

Count = Annotated[int, Meta(ge=0, le=1 << 62)]
Size = Annotated[int, Meta(ge=1, le=1 << 31)]
"""of a dimension"""
Amount = Annotated[float, Meta(ge=0, le=1e30)]
Share = Annotated[float, Meta(ge=0, le=1)]
Finite = Annotated[float, Meta(ge=-1e30, le=1e30)]
"""these bounds refuse NaN and infinity; a plain `float` may be either, as Python's json writes them"""
FileName = Annotated[str, Meta(max_length=200)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


def decode_json(content: bytes, kind: type[T], file: Path | str) -> T:
    """Raises CaudexError, which names the file, for what is no JSON or of another kind."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise misfit(file, error) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # or it has NaN, which msgspec does not read
    except RecursionError:
        raise unreadable(file) from None
    try:
        value = json.loads(content)
        msgspec.json.encode(value)  # fails for half surrogates, which are no text
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise misfit(file, error) from None
    except (ValueError, RecursionError):
        raise unreadable(file) from None


def read_public_json(file: Path, kind: type[T], max_bytes: int = MAX_PUBLIC_BYTES) -> T:
    """The content of a file that a publisher wrote; CaudexError where it is not of this type, not JSON (NaN is none), nested
    too deeply or too large."""
    with file.open("rb") as opened:
        content = opened.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise CaudexError(f"{file} has over {max_bytes >> 20} MB, too many for what it should be; fetch it again.")
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise public_misfit(file, describe_misfit(error, {})) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CaudexError(f"{file} is no JSON that can be read ({short_message(error)}); fetch it again.") from None


def convert_public(content: Mapping[str, Any], kind: type[T], file: Path) -> T:
    """What `read_public_json` gave, as a struct; CaudexError with the name and the value that does not fit."""
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise public_misfit(file, describe_misfit(error, content)) from None


def short_json(value: Any) -> str:
    """The value as JSON, at most 60 characters of it."""
    text = msgspec.json.encode(value).decode(errors="replace")
    return text if len(text) <= 60 else text[:57] + "..."


def describe_misfit(
    error: msgspec.ValidationError, content: Mapping[str, Any], show: Callable[[Any], str] = short_json
) -> str:
    """What does not fit, with its name and the beginning of its value: steps is "many" (expected `int`, got `str`)."""
    reason, _, place = str(error).partition(" - at `$")
    reason, name = reason[:1].lower() + reason[1:], re.split(r"[.\[`]", place.removeprefix("."))[0]
    reason = "not a value that caudex knows" if reason.startswith("invalid enum value") else reason
    named = f"{name} is {show(content[name])} " if name in content else f"{name} " if name else ""
    return f"{named}({reason})"


def misfit(file: Path | str, reason: Exception | str) -> CaudexError:
    return CaudexError(f"{file} is not as caudex wrote it ({str(reason).rstrip('.')}); restore it or train anew.")


def public_misfit(file: Path, reason: str) -> CaudexError:
    return CaudexError(f"{file}{' ' if reason.startswith('(') else ': '}{reason}; fetch it again.")


def unreadable(file: Path | str) -> CaudexError:
    return CaudexError(f"{file} is not readable JSON; it was changed after it was written. Restore it or train anew.")


def check_kind(value: T, kind: Any) -> T:
    """The value; raises msgspec.ValidationError where it is of another kind. TypedDicts may have further keys."""
    msgspec.convert(value, kind)
    return value
