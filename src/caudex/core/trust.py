"""Which run folders this user made on this machine, and what one from elsewhere names.

Anybody can write a run folder, and it names data, addresses and environments. Each run that is made here carries a signature
of its settings by a secret that stays in this user's state folder. So a run moves with its signature, no list of runs
grows, and nobody else can sign a folder, nor change the settings of a signed one.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import shlex
from collections.abc import Container, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from caudex.core.env_names import parse_env_name
from caudex.core.errors import CaudexError
from caudex.core.run_files import RunFiles

SIGNED = ("settings", "hardware", "plan")
"""files of a run, as NAME.json, that say what it opens and how it computes"""
SECRET_SIZE = 32
"""bytes"""
PROCESS_COUNTS = ("threads", "devices", "nodes", "processes", "actors", "workers")
"""settings that say how much of a machine is taken"""


class Signature(Struct):
    """signature.json"""

    hmac_sha256: str


class UntrustedName(str):
    """A string of a run folder that was not made here. Whoever would import or open what it names calls `check_trusted`."""

    def __new__(cls, name: str, run: str = ""):
        self = super().__new__(cls, name)
        self.run = run
        return self


def state_folder() -> Path:
    """The folder of what outlives the cache: CAUDEX_STATE, else caudex in XDG_STATE_HOME, else ~/.local/state/caudex."""
    if folder := os.environ.get("CAUDEX_STATE"):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "caudex"


def sign(run: RunFiles, settings: bytes | None = None) -> None:
    """Write signature.json for these bytes of settings.json, or those that are there, and for the other files of `SIGNED`.

    Where no secret can be kept (a home that cannot be written), there is none, and `caudex resume` asks.
    """
    if run.is_main_process and (signature := _compute_signature(run, settings)):
        run.write_struct("signature", Signature(signature))


def is_own(run: RunFiles) -> bool:
    """Whether this user made the run on this machine and its settings are those that were signed."""
    try:
        signed = run.read_struct("signature", Signature)
        signature = _compute_signature(run) if signed else None
    except CaudexError:
        return False
    return bool(signature) and hmac.compare_digest(signature.encode(), signed.hmac_sha256.encode(errors="replace"))


def mark_untrusted(value: Any, run: RunFiles, trusted: Container[str] = ()) -> Any:
    """A setting, or a spec, of the run with its strings as `UntrustedName`, but for those that are `trusted`."""
    if isinstance(value, str):
        return value if value in trusted else UntrustedName(value, str(run.path))
    if isinstance(value, tuple):
        return tuple(mark_untrusted(part, run, trusted) for part in value)
    if isinstance(value, Struct):
        strings = {field.name: getattr(value, field.name) for field in structs.fields(value)}
        strings = {name: part for name, part in strings.items() if isinstance(part, str)}
        return structs.replace(value, **{name: mark_untrusted(part, run, trusted) for name, part in strings.items()})
    return value


def mark_trusted(value: Any) -> Any:
    """The inverse of `mark_untrusted`, of a setting."""
    if isinstance(value, tuple):
        return tuple(map(mark_trusted, value))
    return str(value) if isinstance(value, UntrustedName) else value


def trusted_strings(settings: Any) -> set[str]:
    """The strings among the settings that this user chose."""
    values = (value if isinstance(value, tuple) else (value,) for value in vars(settings).values())
    return {word for words in values for word in words if type(word) is str}


def check_trusted(name: str | Path, what: str, way_out: str = "") -> None:
    """Raises CaudexError for a name from a run folder that was not made here, of which it `what`."""
    if isinstance(name, UntrustedName):
        way_out = way_out or f"`caudex resume {name.run} --trust` takes it over"
        raise CaudexError(
            f"{name.run} was not made by you on this machine, or was changed since, and {what}; {way_out}."
        )


def mark_like(text: str, name: str) -> str:
    """The text, untrusted where the name that it is made from is."""
    return UntrustedName(text, name.run) if isinstance(name, UntrustedName) else text


def env_code(env: str) -> str:
    """What an environment of that name would do, as "import the module a"; "" where it is registered and made with plain
    numbers: a text could name a file or a module."""
    name = parse_env_name(env)
    modules, values = name.modules(), name.values()
    texts = [f"{key}={text}" for key, text in name.arguments.items() if not isinstance(values[key], (bool, int, float))]
    imports = [f"import the module{'s' * (len(modules) > 1)} {', '.join(modules)}"] if modules else []
    return " and ".join(imports + ([f"be made with {', '.join(texts)}"] if texts else []))


def describe_openings(settings: Any) -> Iterator[str]:
    """What a run would open or take, as flags: the strings and numbers of processes in a dataclass that are not its defaults."""
    for field in fields(settings):
        name, value = field.name, getattr(settings, field.name)
        words = value if isinstance(value, tuple) else (value,)
        opens = name in PROCESS_COUNTS or any(isinstance(word, str) for word in words)
        if value == field.default or not opens or name == "command":  # a claim's, which is only shown
            continue
        flag = f"--{name.replace('_', '-')} {shlex.join(map(str, words))}"
        effect = env_code(value) if name == "env" else ""
        effect = "send the metrics to where that package is set up to" if name == "log" and value != "none" else effect
        yield escape_controls(flag + (f", which would {effect}" if effect else ""))


def escape_controls(text: str) -> str:
    """The text without what would move a terminal's cursor or change its colours."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _compute_signature(run: RunFiles, settings: bytes | None = None) -> str | None:
    secret = _read_secret()
    if secret is None:
        return None
    code = hmac.new(secret, digestmod="sha256")
    for name in SIGNED:
        content = run.folder.read(f"{name}.json") or b""
        if name == "settings" and settings is not None:
            content = settings
        code.update(len(content).to_bytes(8, "big") + content)
    return code.hexdigest()


def _read_secret() -> bytes | None:
    """Random bytes that this user's processes on this machine share, made where there are none; None where they cannot be."""
    try:
        file = state_folder() / "secret"
        if file.exists() and len(secret := file.read_bytes()) == SECRET_SIZE:
            return secret
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as opened:
            with contextlib.suppress(ImportError, OSError):  # a disk that knows no locks has none
                import fcntl

                fcntl.flock(opened, fcntl.LOCK_EX)  # of two first runs at once, one makes it
            if len(secret := opened.read()) != SECRET_SIZE:
                secret = secrets.token_bytes(SECRET_SIZE)
                opened.seek(0)
                opened.truncate()
                opened.write(secret)
            return secret
    except (OSError, RuntimeError):  # RuntimeError: no home
        return None
