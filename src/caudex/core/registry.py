"""Systems and signals by name: `noisy-student` is `NoisyStudent` in the file `noisy_student.py` under `systems/`.

Others' packages add theirs by entry points of the groups `caudex.systems` and `caudex.signals`, environments by
those of `caudex.envs`, and board games by those of `caudex.games`. Nothing is imported until it is used, so that `caudex list` answers at once.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import importlib.util
import inspect
from collections.abc import Iterable
from functools import cache
from importlib.metadata import entry_points
from operator import attrgetter
from pathlib import Path
from typing import Any

from caudex.core.errors import CaudexError

PACKAGE = Path(__file__).parent.parent


@cache
def class_paths(kind: str) -> dict[str, str]:
    """Name to `module:Class`, of one kind: "systems" or "signals"."""
    paths = {}
    for file in sorted((PACKAGE / kind).rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if (
                isinstance(node, ast.ClassDef)
                and node.name.lower() == file.stem.replace("_", "")
                and file.stem != kind[:-1]
            ):
                module = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)
                paths[file.stem.replace("_", "-")] = f"{module}:{node.name}"
    return paths | plugin_paths(kind)


@cache
def plugin_paths(kind: str) -> dict[str, str]:
    """Name to `module:attribute` of the entry points of one kind: "systems", "signals", "envs" or "games"."""
    return {point.name: f"{point.module}:{point.attr}" for point in entry_points(group=f"caudex.{kind}")}


def find_class(kind: str, name: str) -> type:
    """The class of that name; raises CaudexError with the nearest names."""
    paths = class_paths(kind)
    if name not in paths:
        raise CaudexError(f"{name!r} is not among the {kind}.{did_you_mean(name, paths)} Known: {', '.join(paths)}.")
    return import_attribute(paths[name])


def import_attribute(path: str) -> Any:
    """What `module:attribute` names."""
    module, _, attribute = path.partition(":")
    return attrgetter(attribute)(importlib.import_module(module))


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """ " Did you mean NAME?" with the closest of the names; "" where none is close."""
    matches = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {matches[0]}?" if matches else ""


def docstring_summary(kind: str, name: str) -> str:
    """The first line of the class's docstring; the class is imported only where its module takes it from another."""
    if node := class_node(kind, name):
        docstring = ast.get_docstring(node)
    else:
        try:
            docstring = inspect.getdoc(find_class(kind, name))
        except Exception as error:  # of a package that does not fit what is installed beside it
            docstring = f"cannot be imported: {type(error).__name__}: {error}"
    return (docstring or "").split("\n")[0]


def signal_needs(signal: str) -> str:
    """The class's `needs`, imported as in `docstring_summary`; the default of `Signal` where it does not set any."""
    node, default = class_node("signals", signal), "unlabelled"
    if node is None:
        with contextlib.suppress(Exception):
            return find_class("signals", signal).needs
        return default
    assignments = [part for part in node.body if isinstance(part, ast.Assign)]
    needs = [part.value.value for part in assignments if part.targets[0].id == "needs"]
    return needs[0] if needs else default


def class_node(kind: str, name: str) -> ast.ClassDef | None:
    """The syntax tree of a class; None where the file of its module does not define it."""
    module, _, attribute = class_paths(kind)[name].partition(":")
    file = module_file(module)
    nodes = ast.parse(file.read_text()).body if file else []
    return next((node for node in nodes if isinstance(node, ast.ClassDef) and node.name == attribute), None)


def module_file(module: str) -> Path | None:
    """The source of a module, found without importing it or the packages that it lies in; None where there is none."""
    package, *names = module.split(".")
    if (spec := importlib.util.find_spec(package)) is None:
        return None
    folders = [Path(folder, *names) for folder in spec.submodule_search_locations or ()]
    files = [path for folder in folders for path in (folder / "__init__.py", folder.with_suffix(".py"))]
    if not names:
        files.append(Path(spec.origin or ""))
    return next((file for file in files if file.suffix == ".py" and file.is_file()), None)
