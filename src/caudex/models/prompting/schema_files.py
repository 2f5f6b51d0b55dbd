"""Winograd schemas from files, in the formats in which people have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import Struct

from caudex.core.errors import CaudexError
from caudex.core.typed_json import describe_misfit
from caudex.data.text.rows import read_rows, table_columns
from caudex.data.text.utf8 import UTF8Decoder
from caudex.models.prompting.winograd import WinogradSchema, parse_schema

MAX_BYTES = 1 << 26
POSSESSIVE = frozenset(("my", "his", "her", "our", "their", "its"))
"""pronouns in whose place a candidate gets 's; her may also be an object, where both candidates get it alike"""


class Row(NamedTuple):
    place: str
    """the file, and the line or number in it"""
    value: Any


class Caudex(Struct):
    sentence: str
    candidates: tuple[str, ...] | str
    answer: str | None = None


class WinoGrande(Struct):
    sentence: str
    option1: str
    option2: str
    answer: Literal["1", "2"] | None = None


class WSC273(Struct):
    """As the hub has it."""

    text: str
    pronoun: str
    pronoun_loc: int
    options: tuple[str, ...] | str
    label: int | None = None


class WSC273Parts(Struct):
    """As a .tsv of WSC273 and PDP60 has it."""

    left: str
    pron: str
    right: str
    candidates: str
    selected: int | None = None


class WSC273Substitutions(Struct):
    """As Trinh and Le 2018 published it: a row for each candidate."""

    question_id: int
    substitution: str
    correctness: bool


class Target(Struct):
    span1_text: str
    span2_text: str
    span2_index: int


class SuperGLUE(Struct):
    """A row for each candidate: whether span1 is what span2 means."""

    text: str
    target: Target
    label: bool | None = None


def read_schemas(path: Path) -> tuple[list[WinogradSchema], int]:
    """(schemas, how many sentences were left out because they have one candidate or no single right one).

    Raises CaudexError, which names file and line, for what is in none of the formats.
    """
    rows = list(_read_rows(path))
    if not rows:
        raise CaudexError(f"{path} has no rows; each is one schema, such as sentence,candidates,answer.")
    columns = set(rows[0].value)
    for kind, build in FORMATS.items():
        required = {field.name for field in msgspec.structs.fields(kind) if field.required}
        if required <= columns:
            schemas = list(build([Row(row.place, _convert(row, kind)) for row in rows]))
            complete = [schema for schema in schemas if schema is not None]
            if not complete:
                raise CaudexError(f"{path}: no sentence has two candidates, one of them right; give a row for each.")
            return complete, len(schemas) - len(complete)
    raise CaudexError(
        f"{path} has the columns {', '.join(sorted(map(str, columns))) or 'none'}, which is no known format; give sentence (with _ "
        "for the pronoun), candidates (a|b) and answer, or a file of WSC273, WinoGrande or SuperGLUE's WSC."
    )


def _read_rows(path: Path) -> Iterator[Row]:
    if path.suffix.lower() in (".csv", ".tsv"):
        names, decoder = table_columns(path), UTF8Decoder()
        for line, values in read_rows(path, names, decoder):
            yield Row(f"{path}, line {line:,}", dict(zip(names, values)))
        return
    content = path.read_bytes()
    if len(content) > MAX_BYTES:
        raise CaudexError(f"{path} has over {MAX_BYTES >> 20} MB, too many for schemas; give a part of it.")
    if path.suffix.lower() == ".json":
        values = [(f"{path}, number {i:,}", value) for i, value in enumerate(_parse(content, str(path), list), 1)]
    else:
        lines = enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1)
        values = [
            (f"{path}, line {i:,}", _parse(line, f"{path}, line {i:,}", dict)) for i, line in lines if line.strip()
        ]
    for place, value in values:
        if not isinstance(value, dict):
            raise CaudexError(f"{place} is no row; give an object with the columns.")
        yield Row(place, value)


def _parse(content: bytes, place: str, kind: type) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        expected = "a list of objects" if kind is list else "an object"
        raise CaudexError(f"{place} is not JSON with {expected}: {content[:40].decode(errors='replace')!r}.") from None


def _convert(row: Row, kind: type) -> Any:
    optional = {field.name for field in msgspec.structs.fields(kind) if not field.required}
    value = {name: cell for name, cell in row.value.items() if cell != "" or name not in optional}
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise CaudexError(f"{row.place}: {describe_misfit(error, row.value)}.") from None


def _split(candidates: tuple[str, ...] | str, separator: str = "|") -> tuple[str, ...]:
    return tuple(candidates.split(separator)) if isinstance(candidates, str) else candidates


def _place_candidate(place: str, number: int | None, candidates: tuple[str, ...]) -> int | None:
    if number is not None and not 0 <= number < len(candidates):
        raise CaudexError(f"{place}: the answer {number} is not a number of {', '.join(candidates)}, from 0 on.")
    return number


def _parse_at(place: str, *parts) -> WinogradSchema:
    try:
        return parse_schema(*parts)
    except CaudexError as error:
        raise CaudexError(f"{place}: {error}") from None


def _from_caudex(rows: list[Row]) -> Iterator[WinogradSchema]:
    for place, row in rows:
        candidates = _split(row.candidates)
        if row.answer and row.answer not in candidates:
            raise CaudexError(f"{place}: the answer {row.answer!r} is not among {', '.join(candidates)}.")
        yield _parse_at(place, row.sentence, candidates, candidates.index(row.answer) if row.answer else None)


def _from_winogrande(rows: list[Row]) -> Iterator[WinogradSchema]:
    for place, row in rows:
        answer = int(row.answer) - 1 if row.answer else None
        yield _parse_at(place, row.sentence, (row.option1, row.option2), answer)


def _from_wsc273(rows: list[Row]) -> Iterator[WinogradSchema]:
    for place, row in rows:
        end = row.pronoun_loc + len(row.pronoun)
        if row.text[row.pronoun_loc : end] != row.pronoun:
            raise CaudexError(
                f"{place}: at character {row.pronoun_loc} stands {row.text[row.pronoun_loc : end]!r}, not {row.pronoun!r}."
            )
        yield _around(place, row.text[: row.pronoun_loc], row.pronoun, row.text[end:], _split(row.options), row.label)


def _from_parts(rows: list[Row]) -> Iterator[WinogradSchema]:
    for place, row in rows:
        left = row.left if row.left[-1:].isspace() else f"{row.left} "
        gap = " " if row.right[:1].isalnum() else ""
        yield _around(place, left, row.pron, gap + row.right, _split(row.candidates, ","), row.selected)


def _around(place: str, before: str, pronoun: str, after: str, candidates: tuple[str, ...], answer: int | None):
    """A schema from the text before and after the pronoun that stands there."""
    suffix = "'s" if pronoun.lower() in POSSESSIVE else ""
    names = tuple(candidate.strip() + suffix for candidate in candidates)
    if len(names) < 2 or not all(map(str.strip, candidates)) or not after.strip():
        raise CaudexError(f"{place} is no schema: it needs words behind the pronoun, and two candidates at least.")
    return WinogradSchema(before, after, names, _place_candidate(place, answer, names))


def _from_superglue(rows: list[Row]) -> Iterator[WinogradSchema | None]:
    """One schema for all rows of a text and place; None where it has one candidate, or not one that is right."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.value.text, row.value.target.span2_index), []).append(row)
    for (text, index), members in groups.items():
        place, first = members[0]
        candidates = tuple(dict.fromkeys(row.target.span1_text for _, row in members))
        right = {row.target.span1_text for _, row in members if row.label}
        is_known = any(row.label is not None for _, row in members)
        if len(candidates) < 2 or (is_known and len(right) != 1):
            yield None
            continue
        start = _word_start(place, text, first.target.span2_text, index)
        before, after = text[:start], text[start + len(first.target.span2_text) :]
        answer = candidates.index(right.pop()) if right else None
        yield _around(place, before, first.target.span2_text, after, candidates, answer)


def _word_start(place: str, text: str, pronoun: str, index: int) -> int:
    """Where the pronoun begins: the word of this number, or the nearest, for in the published files some numbers are off."""
    starts = [match.start() for match in re.finditer(r"\S+", text)]
    fitting = [i for i, start in enumerate(starts) if text.startswith(pronoun, start)]
    if not fitting:
        raise CaudexError(f"{place}: the text has no word {pronoun!r}, its span2_text.")
    return starts[min(fitting, key=lambda i: abs(i - index))]


def _from_substitutions(rows: list[Row]) -> Iterator[WinogradSchema | None]:
    """The pronoun stands where the sentences of a question differ."""
    groups: dict[int, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.value.question_id, []).append(row)
    for members in groups.values():
        sentences = [row.substitution.split() for _, row in members]
        right = [i for i, (_, row) in enumerate(members) if row.correctness]
        if len(sentences) < 2 or len(right) != 1:
            yield None
            continue
        head = _common(sentences)
        tail = min(_common([sentence[::-1] for sentence in sentences]), min(map(len, sentences)) - head - 1)
        candidates = [" ".join(sentence[head : len(sentence) - tail]) for sentence in sentences]
        before = "".join(f"{word} " for word in sentences[0][:head])
        after = "".join(f" {word}" for word in sentences[0][len(sentences[0]) - tail :]) if tail else ""
        yield _around(members[0].place, before, "", after, tuple(candidates), right[0])


def _common(sentences: list[list[str]]) -> int:
    """How many words all sentences begin with."""
    return next((i for i, words in enumerate(zip(*sentences)) if len(set(words)) > 1), min(map(len, sentences)))


FORMATS: dict[type, Callable[[list[Row]], Iterator[WinogradSchema | None]]] = {
    WinoGrande: _from_winogrande,
    Caudex: _from_caudex,
    WSC273: _from_wsc273,
    WSC273Parts: _from_parts,
    WSC273Substitutions: _from_substitutions,
    SuperGLUE: _from_superglue,
}
"""by the columns that each needs"""
