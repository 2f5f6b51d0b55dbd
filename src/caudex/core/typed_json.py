"""JSON that others may have written, as typed values: one decoder, and one sentence for whatever it meets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from caudex.core.errors import CaudexError

T = TypeVar("T")

Count = Annotated[int, Meta(ge=0, le=1 << 62)]
Size = Annotated[int, Meta(ge=1, le=1 << 31)]
"""of a dimension"""
Amount = Annotated[float, Meta(ge=0, le=1e30)]
Share = Annotated[float, Meta(ge=0, le=1)]
Finite = Annotated[float, Meta(ge=-1e30, le=1e30)]
"""these bounds refuse NaN and infinity; a plain `float` may be either, as Python's json writes them"""
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


def misfit(file: Path | str, reason: Exception | str) -> CaudexError:
    return CaudexError(f"{file} is not as caudex wrote it ({str(reason).rstrip('.')}); restore it or train anew.")


def name_value(error: msgspec.ValidationError, content: dict[str, Any]) -> str:
    """What does not fit, with its name and the beginning of its value: steps is 'many' (expected `int`, got `str`)."""
    reason, _, place = str(error).partition(" - at `$.")
    name = re.split(r"[.\[`]", place)[0]
    if name not in content:
        return reason
    return f"{name} is {repr(content[name])[:60]} ({reason[:1].lower()}{reason[1:]})"


def unreadable(file: Path | str) -> CaudexError:
    return CaudexError(f"{file} is not readable JSON; it was changed after it was written. Restore it or train anew.")


def check_kind(value: T, kind: Any) -> T:
    """The value; raises msgspec.ValidationError where it is of another kind. TypedDicts may have further keys."""
    msgspec.convert(value, kind)
    return value
