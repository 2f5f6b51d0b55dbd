"""Parse the words of the command line into dataclasses; errors become one sentence."""

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

from caudex.cli.commands import COMMANDS, ClaimFlags, TrainFlags
from caudex.core import registry
from caudex.core.errors import CaudexError


def parse_system(command: str, words: Sequence[str]):
    """The system with its settings (defaults < scale < flags), and the other flags."""
    if not words or words[0].startswith("-"):
        systems = ", ".join(sorted(registry.class_paths("systems")))
        if words and words[0] in ("-h", "--help"):
            systems = textwrap.fill(f"systems: {systems}", 80)
            print(f"usage: caudex {command} SYSTEM [settings]\n\n{COMMANDS[command]}\n\n{systems}")
            print(f"`caudex {command} SYSTEM --help` explains every setting.")
            raise SystemExit(0)
        raise CaudexError(
            f"say which system: caudex {command} SYSTEM. Systems: {systems}; `caudex list` explains them."
        )
    from caudex.core.hardware import Hardware
    from caudex.core.system import system_at_scale

    check_utf8(words)  # settings are kept as text
    name, rest = words[0], words[1:]
    for flag in ("--also", "--env-args", "--wrap"):
        rest = merge_repeated(flag, rest)
    rest = rename_from(rest)
    scale = flag_value("--scale", rest) or "laptop"
    default = system_at_scale(name, scale)
    system_class = type(default)
    system_help = f"The defaults are those of --scale {scale}."
    hardware_help = "Where and how to compute; results do not depend on it, up to rounding."
    if wants_help(rest):  # `parse_flags` does this for the outer dataclass alone
        default = without_empty_defaults(system_class)(**vars(default))
    nested = [
        (
            "system",
            Annotated[OmitArgPrefixes[type(default)], arg(name=name, help=system_help)],
            field(default_factory=lambda: default),
        ),
        ("hardware", Annotated[OmitArgPrefixes[Hardware], arg(help=hardware_help)], field(default_factory=Hardware)),
    ]
    settings_class = make_dataclass(
        "Settings", nested, bases=(TrainFlags if command == "train" else ClaimFlags,), kw_only=True
    )
    budgets = [flag for flag in ("--steps", "--minutes", "--flops") if flag_value(flag, rest) is not None]
    if len(budgets) > 1:
        raise CaudexError(f"{' and '.join(budgets)} are both budgets; give one of them.")
    names = {field.name for part in (system_class, Hardware, settings_class) for field in fields(part)}
    description = partial(describe_system, command, name, system_class)
    flags = parse_flags(settings_class, rest, f"{command} {name}", names, description)
    flags.name = name
    flags.system.check()
    flags.hardware.check()
    return flags.system, flags


def describe_system(command: str, name: str, system_class: type) -> str:
    """The text above the settings in the help of a system: what it does, examples, what the scales set."""
    width = min(100, shutil.get_terminal_size().columns)
    parts = [textwrap.fill(part, width) for part in inspect.getdoc(system_class).split("\n\n")]
    examples = {"": "as it stands", " --scale tiny": "in seconds"}
    settings = {field.name for field in fields(system_class)}
    if {"data", "labels"} <= settings:
        examples |= {" --data photos/": "your images", " --data photos/ --labels few.csv": "path,label"}
    if {"source", "target"} <= settings:
        examples |= {" --source sim/ --target photos/": "your images"}
    if {"photos", "scene"} <= settings:
        examples |= {" --off distractors": "an ablation", " --photos photos/": "tested on yours"}
    if "column" in settings:
        examples |= {" --data texts/": "your texts"}
    if "second" in settings:
        examples |= {" --from runs/bert-1": "go on"}
    width_of_flags, shortcuts = max(map(len, examples)), {"probe": "probe RUN", "labels-saved": "labels-saved"}
    words = shortcuts.get(name, f"train {name}") if command == "train" else f"{command} {name}"
    lines = [f"  caudex {words}{flags:{width_of_flags}}  # {comment}" for flags, comment in examples.items()]
    parts.append("\n".join(["examples:", *lines]))
    scales = [
        textwrap.fill(
            f"--scale {scale}: "
            + ", ".join(format_setting(key.replace("_", "-"), value) for key, value in settings.items()),
            width,
            initial_indent="  ",
            subsequent_indent="    ",
        )
        for scale, settings in system_class.scales.items()
    ]
    if scales:
        parts.append("\n".join(["what the scales set:", *scales]))
    if accepted := [
        signal for signal in registry.class_paths("signals") if registry.signal_needs(signal) in system_class.accepts
    ]:
        parts.append(textwrap.fill(f"what --also can add: {', '.join(accepted)}", width, subsequent_indent="  "))
    if system_class.statement:
        parts.append(
            textwrap.fill(f"It claims that {system_class.statement}; `caudex claim {name}` measures it.", width)
        )
    return "\n\n".join(parts)


def format_setting(flag: str, value) -> str:
    return f"no {flag}" if value is None else f"{flag} {format_value(value)}"


def format_value(value) -> str:
    """The value as it is typed behind a flag."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def rename_from(words: Sequence[str]) -> list[str]:
    """--from as --start: `from` is no name for a setting in Python."""
    return [re.sub("^--from(?==|$)", "--start", word) for word in words]


def merge_repeated(flag: str, words: Sequence[str]) -> list[str]:
    """The words with the values of a repeated flag collected behind a single one, at the end."""
    starts = [i for i, word in enumerate(words) if word == flag]
    if len(starts) < 2:
        return list(words)
    values, rest, is_value = [], [], False
    for word in words:
        is_value = word == flag or (is_value and not word.startswith("--"))
        if word != flag:
            (values if is_value else rest).append(word)
    return [*rest, flag, *values]


def flag_value(flag: str, words: Sequence[str]) -> str | None:
    """The flag's last value, the one that the parser takes."""
    for i, word in reversed(list(enumerate(words))):
        if word == flag and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(flag + "="):
            return word.split("=", 1)[1]
    return None


def parse_flags(
    flags_class: type,
    words: Sequence[str],
    command: str,
    names: set[str] | None = None,
    description: Callable[[], str] | None = None,
):
    """A dataclass from flags, whose names are `names`. For an unknown flag the closest one is suggested; every error becomes one
    line. `description` is called only for --help: it reads every signal."""
    flag_names = {"--" + name.replace("_", "-") for name in names or flags_class.__dataclass_fields__} | {"--help"}
    for word in words:
        flag = re.sub("^--no-", "--", word.split("=")[0].replace("_", "-"))
        if word.startswith("--") and flag not in flag_names:
            raise CaudexError(
                f"{command} has no setting {word.split('=')[0]}.{registry.did_you_mean(flag, flag_names)} `caudex {command} --help` lists them."
            )
    if wants_help(words):
        flags_class = without_empty_defaults(flags_class)
        if description:
            print(description() + "\n")
    check_utf8(words, but_files=True)
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):
            return tyro.cli(
                flags_class,
                args=list(words),
                prog=f"caudex {command}",
                description=COMMANDS[command].split(": ")[-1] if description is None else "",
                config=(DisallowNone,),
            )
    except SystemExit as end:
        if not end.code:
            raise
        raise CaudexError(explain_error(stderr.getvalue(), command)) from None


def check_utf8(words: Sequence[str], but_files: bool = False) -> None:
    """Raises CaudexError for a word with bytes that are no text; the name of a file that is there may have any."""
    for word in words:
        is_text = not any("\udc80" <= character <= "\udcff" for character in word)  # how Python keeps such bytes
        if not is_text and not (but_files and Path(word).exists()):
            raise CaudexError(f"{word!r} is not UTF-8; give text in UTF-8, and rename a folder that is called so.")


def wants_help(words: Sequence[str]) -> bool:
    return bool({"-h", "--help"} & set(words))


def without_empty_defaults(flags_class: type) -> type:
    """The dataclass with a help that leaves empty defaults out, since the text says what happens then."""
    types, option = get_type_hints(flags_class, include_extras=True), arg(help_behavior_hint=default_hint)
    annotated = [(part.name, Annotated[types[part.name], option], part) for part in fields(flags_class)]
    return make_dataclass(flags_class.__name__, annotated, bases=(flags_class,))


def default_hint(default: str) -> str:
    return "" if default in ("", "None") else f"(default: {default})"


TYRO_ERRORS = {
    r"Missing from": "something is missing",
    r"Missing value for argument '(\S+)'": r"\1 needs a value",
    r"Unrecognized options: (.+?)(?: Did you mean.*)?$": r"'\1' belongs to no setting",
    r"invalid choice '(.*?)' for argument '(\S+)'\. Expected one of \((.+?)\)": r"\2 \1 is not one of \3",
    r"(--\S+): no type matching INT could be instantiated from \['(.*?)'\]": r"\1 \2 is not a whole number",
    r"(--\S+): no type matching FLOAT could be instantiated from \['(.*?)'\]": r"\1 \2 is not a number",
    r"Error parsing (\S+): could not convert string to float: (.+?)$": r"\1 \2 is not a number",
    r"Error parsing (\S+): invalid literal for int\(\) with base 10: (.+?)$": r"\1 \2 is not a whole number",
    r"Error parsing (\S+): Could not find valid parse for arguments: \[(.+?)\]": r"\1 takes whole numbers, not \2",
    r"Error parsing (\S+): (.+?)$": r"\1: \2",
}


def explain_error(box: str, command: str) -> str:
    """One sentence from the box that tyro prints around an error."""
    text = " ".join(re.sub(r"[│╭╮╰╯─]|-{3,}|(?<!\S)[|+](?!\S)", " ", box).split())
    text = re.split(r" Argument helptext:| For full helptext,", text)[0]
    for pattern, sentence in TYRO_ERRORS.items():
        if match := re.search(pattern, text):
            text = match.expand(sentence)
            if sentence.startswith("'") and "SYSTEM" in COMMANDS[command.split()[0]] and Path(match[1]).exists():
                text += f" (--data {match[1]}?)"
            break
    name, _, system = command.partition(" ")
    arguments, colon, _ = COMMANDS[name].partition(": ")
    arguments = f" {arguments.replace('SYSTEM', system)}" if colon else ""
    return f"{text.rstrip('.')}; usage: `caudex {name}{arguments}`. `caudex {command} --help` explains it."
