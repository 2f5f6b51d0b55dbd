"""Words of the command line become settings: one dataclass is parsed for a command, mistakes become one sentence."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
import shutil
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import field, fields, make_dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, get_type_hints

import tyro
from tyro.conf import DisallowNone, OmitArgPrefixes, arg

from caudex.cli.commands import COMMANDS, Claim, Train
from caudex.core import registry as names
from caudex.core.errors import CaudexError


def system_settings(command: str, words: Sequence[str]):
    """The system with its settings (defaults < scale < flags), and the other flags."""
    if not words or words[0].startswith("-"):
        systems = ", ".join(sorted(names.class_paths("systems")))
        if words and words[0] in ("-h", "--help"):
            systems = textwrap.fill(f"systems: {systems}", 80)
            print(f"usage: caudex {command} SYSTEM [settings]\n\n{COMMANDS[command]}\n\n{systems}")
            print(f"`caudex {command} SYSTEM --help` explains every setting.")
            raise SystemExit(0)
        raise CaudexError(
            f"say which system: caudex {command} SYSTEM. Systems: {systems}; `caudex list` explains them."
        )
    from caudex.core.hardware import Hardware
    from caudex.core.system import scaled

    name, rest = words[0], together("--also", words[1:])
    rest = [re.sub("^--from(?==|$)", "--start", word) for word in rest]  # `from` is no name for a setting in Python
    scale = value_of("--scale", rest) or "laptop"
    default = scaled(name, scale)
    kind = type(default)
    about = f"The defaults are those of --scale {scale}."
    where = "Where and how to compute; results do not depend on it, up to rounding."
    if asks_for_help(rest):  # `parse` sees to the form alone, not to what stands in it
        default = shown(kind)(**vars(default))
    nested = [
        (
            "system",
            Annotated[OmitArgPrefixes[type(default)], arg(name=name, help=about)],
            field(default_factory=lambda: default),
        ),
        ("hardware", Annotated[OmitArgPrefixes[Hardware], arg(help=where)], field(default_factory=Hardware)),
    ]
    form = make_dataclass("Settings", nested, bases=(Train if command == "train" else Claim,), kw_only=True)
    budgets = [flag for flag in ("--steps", "--minutes", "--flops") if value_of(flag, rest) is not None]
    if len(budgets) > 1:
        raise CaudexError(f"{' and '.join(budgets)} are both budgets; give one of them.")
    known = {field for part in (kind, Hardware, form) for field in part.__dataclass_fields__}
    flags = parse(form, rest, f"{command} {name}", known, partial(explained, command, name, kind))
    flags.name = name
    flags.system.check()
    flags.hardware.check()
    return flags.system, flags


def explained(command: str, name: str, kind: type) -> str:
    """What stands above the settings in the help of a system: what it does, how one begins, what the scales set."""
    width = min(100, shutil.get_terminal_size().columns)
    parts = [textwrap.fill(part, width) for part in inspect.getdoc(kind).split("\n\n")]
    examples = {"": "as it stands", " --scale tiny": "in seconds"}
    if {"data", "labels"} <= set(kind.__dataclass_fields__):
        examples |= {" --data photos/": "your images", " --data photos/ --labels few.csv": "path,label"}
    if "column" in kind.__dataclass_fields__:
        examples |= {" --data texts/": "your texts"}
    if "second" in kind.__dataclass_fields__:
        examples |= {" --from runs/bert-1": "go on"}
    longest, short = max(map(len, examples)), {"probe": "probe RUN", "labels-saved": "labels-saved"}
    words = short.get(name, f"train {name}") if command == "train" else f"{command} {name}"
    lines = [f"  caudex {words}{flags:{longest}}  # {what}" for flags, what in examples.items()]
    parts.append("\n".join(["examples:", *lines]))
    scales = [
        textwrap.fill(
            f"--scale {scale}: " + ", ".join(set_to(key.replace("_", "-"), value) for key, value in settings.items()),
            width,
            initial_indent="  ",
            subsequent_indent="    ",
        )
        for scale, settings in kind.scales.items()
    ]
    if scales:
        parts.append("\n".join(["what the scales set:", *scales]))
    if fitting := [signal for signal in names.class_paths("signals") if names.signal_needs(signal) in kind.accepts]:
        parts.append(textwrap.fill(f"what --also can add: {', '.join(fitting)}", width, subsequent_indent="  "))
    if kind.statement:
        parts.append(textwrap.fill(f"It claims that {kind.statement}; `caudex claim {name}` measures it.", width))
    return "\n\n".join(parts)


def set_to(flag: str, value) -> str:
    return f"no {flag}" if value is None else f"{flag} {words_of(value)}"


def words_of(value) -> str:
    """As one types it behind a flag."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def together(flag: str, words: Sequence[str]) -> list[str]:
    """The words with all values of a flag that is given several times behind its first."""
    starts = [i for i, word in enumerate(words) if word == flag]
    if len(starts) < 2:
        return list(words)
    values, rest, inside = [], [], False
    for word in words:
        inside = word == flag or (inside and not word.startswith("--"))
        if word != flag:
            (values if inside else rest).append(word)
    return [*rest, flag, *values]


def value_of(flag: str, words: Sequence[str]) -> str | None:
    """The last one, as the parser takes it."""
    for i, word in reversed(list(enumerate(words))):
        if word == flag and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(flag + "="):
            return word.split("=", 1)[1]
    return None


def parse(
    form: type,
    words: Sequence[str],
    command: str,
    known: set[str] | None = None,
    description: Callable[[], str] | None = None,
):
    """A dataclass from flags; an unknown one is named with the nearest, other mistakes become one line too. `description` is
    asked for only where it is shown: it reads every signal."""
    known = {"--" + name.replace("_", "-") for name in known or form.__dataclass_fields__} | {"--help"}
    for word in words:
        flag = re.sub("^--no-", "--", word.split("=")[0].replace("_", "-"))
        if word.startswith("--") and flag not in known:
            raise CaudexError(
                f"{command} has no setting {word.split('=')[0]}.{names.did_you_mean(flag, known)} `caudex {command} --help` lists them."
            )
    if asks_for_help(words):
        form = shown(form)
        if description:
            print(description() + "\n")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(
                form,
                args=list(words),
                prog=f"caudex {command}",
                description=COMMANDS[command].split(": ")[-1] if description is None else "",
                config=(DisallowNone,),
            )
    except SystemExit as end:
        if not end.code:
            raise
        raise CaudexError(mistake(said.getvalue(), command)) from None


def asks_for_help(words: Sequence[str]) -> bool:
    return bool({"-h", "--help"} & set(words))


def shown(form: type) -> type:
    """The dataclass as its help tells it: defaults that are nothing are left out, since the text says what happens then."""
    types, told = get_type_hints(form, include_extras=True), arg(help_behavior_hint=hint)
    return make_dataclass(
        form.__name__, [(part.name, Annotated[types[part.name], told], part) for part in fields(form)], bases=(form,)
    )


def hint(default: str) -> str:
    return "" if default in ("", "None") else f"(default: {default})"


MISTAKES = {
    r"Missing from": "something is missing",
    r"Missing value for argument '(\S+)'": r"\1 needs a value",
    r"Unrecognized options: (.+?)(?: Did you mean.*)?$": r"'\1' belongs to no setting",
    r"invalid choice '(.*?)' for argument '(\S+)'\. Expected one of \((.+?)\)": r"\2 \1 is not one of \3",
    r"(--\S+): no type matching INT could be instantiated from \['(.*?)'\]": r"\1 \2 is not a whole number",
    r"(--\S+): no type matching FLOAT could be instantiated from \['(.*?)'\]": r"\1 \2 is not a number",
    r"Error parsing (\S+): could not convert string to float: (.+?)$": r"\1 \2 is not a number",
    r"Error parsing (\S+): invalid literal for int\(\) with base 10: (.+?)$": r"\1 \2 is not a whole number",
    r"Error parsing (\S+): (.+?)$": r"\1: \2",
}


def mistake(box: str, command: str) -> str:
    """One sentence from the box that tyro draws around a mistake."""
    text = " ".join(re.sub(r"[│╭╮╰╯─]|-{3,}|(?<!\S)[|+](?!\S)", " ", box).split())
    text = re.split(r" Argument helptext:| For full helptext,", text)[0]
    for pattern, sentence in MISTAKES.items():
        if found := re.search(pattern, text):
            text = found.expand(sentence)
            if sentence.startswith("'") and "SYSTEM" in COMMANDS[command.split()[0]] and Path(found[1]).exists():
                text += f" (--data {found[1]}?)"
            break
    name, _, system = command.partition(" ")
    form, colon, _ = COMMANDS[name].partition(": ")
    form = f" {form.replace('SYSTEM', system)}" if colon else ""
    return f"{text.rstrip('.')}; usage: `caudex {name}{form}`. `caudex {command} --help` explains it."
