"""`caudex.train`: the command `train`, called from Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from caudex.cli.flags import parse_system
from caudex.cli.terminal import create_run_folder
from caudex.cli.train import flag_words, train_and_report
from caudex.core.env_names import parse_env_name
from caudex.core.errors import CaudexError
from caudex.core.registry import find_class
from caudex.core.run import Run
from caudex.core.system import System, is_complete, load, open_run, system_name
from caudex.core.trust import is_own


def train(system: str, *, env: Any = None, run: str | Path | None = None, seed: int = 0, **settings: Any) -> Any:
    """Train a system as `caudex train` does, with the same settings, checks and output; returns its model, whose `run` is its folder.

    `env`: the id of an environment, a gymnasium.Env, its class, or a function without arguments that makes one. `run`: the folder;
    the next free runs/SYSTEM-N where there is none. One that this training began in goes on, and once finished is loaded.

    >>> agent = caudex.train("ppo", env="CartPole-v1", total_steps=50_000)
    >>> model = caudex.train("noisy-student", data="photos/", scale="tiny")
    """
    settings = {"seed": seed, **settings}
    exists, acts_alone = run is not None and Path(run, "settings.json").exists(), False
    if env is not None:
        from caudex import envs

        earlier = Run(run).settings()["settings"].get("env") if exists else None
        settings["env"] = envs.name_env(env, parse_env_name(earlier or "").id)
        acts_alone = envs.is_single(settings["env"]) and hasattr(find_class("systems", system), "num_envs")
        settings = ({"num_envs": 1} if acts_alone else {}) | settings
    words = [
        word for name, value in settings.items() if value is not None for word in flag_words(name, typed_value(value))
    ]
    instance, flags = parse_system("train", [system, *words])
    if exists:
        return go_on(instance, Path(run))
    if acts_alone:
        print(f"{settings['env']} acts alone; its class, or a function that makes it, acts several times at once.")
    folder = create_run_folder(run and Path(run), flags.name, flags.hardware)
    return train_and_report(instance, Run(folder, instance.seed, flags.hardware), fresh=True)


def typed_value(value: Any) -> Any:
    """A setting as it is typed: key=value of a dict, and whole numbers without a point, as in total_steps=1e5."""
    if isinstance(value, Mapping):
        return [f"{key}={part}" for key, part in value.items()]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def go_on(system: System, path: Path) -> Any:
    """The model of a run that this training began, trained to its end. Raises CaudexError for a run with other settings."""
    saved, run = open_run(path)
    if not is_own(run):
        raise CaudexError(
            f"{path} was not made by you on this machine, or was changed since; see `caudex resume {path}`."
        )
    if run.read_json("plan") is not None:
        raise CaudexError(f"{path} is a claim; `caudex resume {path}` goes on with it. Give another run.")
    if type(saved) is not type(system):
        raise CaudexError(f"{path} is a run of {system_name(saved)}, not of {system_name(system)}; give another run.")
    for field in fields(system):
        old, new = getattr(saved, field.name), getattr(system, field.name)
        if old != new:
            raise CaudexError(
                f"{path} began with {field.name}={old!r}, not {new!r}; give the same settings, or another run."
            )
    return load(path) if is_complete(run) else train_and_report(saved, run)
