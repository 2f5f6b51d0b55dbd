"""What strangers and broken disks make of a file: as hypothesis strategies."""

import json
from typing import Any

from hypothesis import strategies as some

LEAVES = [
    None, True, False, 0, 1, -1, -16, 7, 10**9, 2**31, 2**63, 10**30, 0.5, 1e308, float("nan"), float("inf"), "", "x", "16",
    "a" * 5000, "\ud800", "(a+)+$", [], {}, [None], {"a": 1}, [[[[]]]],
]  # fmt: skip
"""in the place of any value of a JSON file"""


def json_paths(content: Any, path: tuple = ()) -> list[tuple]:
    """The places of all values, of long lists and objects the first and the last few."""
    items = (
        list(content.items() if isinstance(content, dict) else enumerate(content))
        if isinstance(content, (dict, list))
        else []
    )
    items = items if len(items) <= 40 else [*items[:3], *items[-3:]]
    return [path, *(place for key, value in items for place in json_paths(value, (*path, key)))]


def replace_value(content: Any, path: tuple, value: Any) -> Any:
    """A copy with another value at this place; `...` deletes it."""
    if not path:
        return None if value is ... else value
    copy = content.copy()
    if len(path) == 1 and value is ...:
        del copy[path[0]]
    else:
        copy[path[0]] = replace_value(content[path[0]], path[1:], value)
    return copy


@some.composite
def mutated_json(draw, original: bytes) -> bytes:
    """One value replaced or deleted, or one more."""
    content = json.loads(original)
    path = draw(some.sampled_from(json_paths(content)))
    value = draw(some.sampled_from([..., *LEAVES, draw(some.text(max_size=8))]))
    if draw(some.integers(0, 5)) == 0 and isinstance(content, dict):
        return json.dumps(content | {draw(some.text(max_size=8)): None if value is ... else value}).encode()
    return json.dumps(replace_value(content, path, value)).encode()


@some.composite
def mutated_bytes(draw, original: bytes) -> bytes:
    """Cut off, a part replaced or repeated, or something else altogether."""
    start = draw(some.integers(0, len(original)))
    end = draw(some.integers(start, min(len(original), start + 64)))
    part = draw(
        some.binary(max_size=16) | some.sampled_from([b"\0" * 64, b"\xff\xfe", b"[" * 50_000, b'{"a":' * 50_000])
    )
    whole = [b"", b"7", b"null", b"[]", b"{}", b"\xef\xbb\xbf{}", "ü".encode("utf-16")]
    return draw(some.sampled_from([original[:start], original[:start] + part + original[end:], *whole]))


def mutated(name: str, original: bytes) -> some.SearchStrategy[bytes]:
    """A changed content of the file of this name."""
    if name.endswith(".json"):
        return mutated_json(original) | mutated_bytes(original)
    return mutated_bytes(original)
