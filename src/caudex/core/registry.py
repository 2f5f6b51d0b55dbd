"""Registered things by name: `noisy-student` is `NoisyStudent` in the file `noisy_student.py` under `systems/`.

Others' packages add theirs by entry points of the groups `caudex.systems`, `caudex.signals`, `caudex.envs`.
Nothing is imported until it is used, so that `caudex list` answers at once.
"""

from __future__ import annotations

import ast
import difflib
import importlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from caudex.core.errors import CaudexError

HERE = Path(__file__).parent.parent


@cache
def places(kind: str) -> dict[str, str]:
    """Name to `module:Class`, of one kind: "systems" or "signals"."""
    found = {}
    for file in sorted((HERE / kind).rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if (
                isinstance(node, ast.ClassDef)
                and node.name.lower() == file.stem.replace("_", "")
                and file.stem != kind[:-1]
            ):
                module = ".".join(file.relative_to(HERE.parent).with_suffix("").parts)
                found[file.stem.replace("_", "-")] = f"{module}:{node.name}"
    return found | {point.name: point.value for point in entry_points(group=f"caudex.{kind}")}


def find(kind: str, name: str) -> type:
    """The class of that name; raises CaudexError with the nearest names."""
    known = places(kind)
    if name not in known:
        raise CaudexError(f"{name!r} is not among the {kind}.{nearest(name, known)} Known: {', '.join(known)}.")
    module, _, attribute = known[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def nearest(name: str, known: Iterable[str]) -> str:
    """ " Did you mean ...?", or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def first_line(kind: str, name: str) -> str:
    """What the class's docstring says first, read without importing it."""
    node = class_of(kind, name)
    return (ast.get_docstring(node) or "").split("\n")[0] if node else ""


def needs(signal: str) -> str:
    """What the class says that it needs, read without importing it; as `Signal` has it where it does not say."""
    node = class_of("signals", signal)
    told = (
        [part.value for part in node.body if isinstance(part, ast.Assign) and part.targets[0].id == "needs"]
        if node
        else []
    )
    return told[0].value if told else "unlabelled"


def class_of(kind: str, name: str) -> ast.ClassDef | None:
    module, _, attribute = places(kind)[name].partition(":")
    file = HERE.parent / Path(*module.split(".")).with_suffix(".py")
    if not file.exists():
        return None
    nodes = ast.parse(file.read_text()).body
    return next((node for node in nodes if isinstance(node, ast.ClassDef) and node.name == attribute), None)
