"""What a system is: a dataclass of settings that puts trunk, signals and sources together."""

from __future__ import annotations

import reprlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec
from msgspec import Struct

from caudex.core.disk import parse_tensors, serialize_tensors
from caudex.core.errors import CaudexError, short_message
from caudex.core.hardware import Hardware, available_memory
from caudex.core.registry import class_paths, find_class
from caudex.core.run import Run
from caudex.core.run_records import Finished
from caudex.core.seeds import check_seed
from caudex.core.signal import Signal, parse_spec, signal_from_spec
from caudex.core.specs import NoSpec
from caudex.core.trust import check_trusted, is_own, mark_untrusted, trusted_strings
from caudex.core.typed_json import describe_misfit, misfit
from caudex.core.weights import distinct_tensors, load_weights, parameter_limit

MODEL_FILE = "model.safetensors"
BEST_FILE = "best.safetensors"
NEEDS = {
    "labelled": "labelled images",
    "unlabelled": "unlabelled images",
    "pairs": "pairs of views",
    "domains": "images of two domains in one batch",
    "frames": "videos",
    "scenes": "scenes whose every pixel is known",
    "tokens": "running text",
    "sentences": "pairs of passages",
    "rollouts": "an environment to act in, and its reward",
    "histories": "trials of one task after the other, and a memory of each",
    "replay": "a memory of what was lived through in an environment",
    "games": "games of self-play",
}
"""what the kinds of source are called; see `Signal.needs`"""


@dataclass
class System:
    """Fields are settings and, through the command line, flags: defaults < scale < flags.

    `train(run)` trains and returns a model (an object with `.trunk`, `.signals` and verbs such as `predict`);
    `model(spec)` is the same object before training, from what the run keeps in spec.json alone;
    `claim(run)` is one seed's evidence.
    """

    seed: int = 0
    """everything random follows from it"""
    steps: int = 1000
    """optimiser steps of each network trained"""
    minutes: float | None = None
    """train for so many minutes altogether instead of a number of steps"""
    flops: float | None = None
    """train for so many floating-point operations altogether instead"""
    also: tuple[str, ...] = ()
    """further signals on the same trunk, of those named above: NAME, NAME:WEIGHT or labels:COLUMN"""

    scales: ClassVar[dict[str, dict]] = {"laptop": {}}
    spec_type: ClassVar[type[Struct]] = NoSpec
    """what the run keeps of its data as spec.json"""
    results_type: ClassVar[Any] = dict[str, Any]
    """what `result_rows` and `warn` need of results.json"""
    accepts: ClassVar[tuple[str, ...]] = ()
    """the kinds of source that signals of `--also` can have here; see NEEDS"""
    statement: ClassVar[str] = ""
    """what the claim says, in one sentence"""
    measure: ClassVar[str] = ""
    """what the claim's figure is"""
    number_format: ClassVar[str] = ".2%"
    """how that figure is written"""
    legend: ClassVar[str] = ""
    """a sentence below the rows of `result_rows`, where their signs need one"""

    def train(self, run: Run) -> Any:
        raise NotImplementedError

    def resolve(self) -> Self:
        """With all chosen that the settings leave open, before they are written down."""
        return self

    def model(self, spec: Struct) -> Any:
        raise NotImplementedError

    def claim(self, run: Run) -> Any:
        raise CaudexError(f"{type(self).__name__} makes no claim.")

    def result_rows(self, results: dict) -> list[tuple]:
        """Rows for the screen and the report, header first, from what `train` wrote to results.json."""
        return []

    def read_results(self, run: Run) -> dict:
        """What results.json holds, {} where there is none; raises CaudexError where `result_rows` cannot show it."""
        results = run.read_json("results") or {}
        for kind in self.kinds_of_results() if results else ():
            run.read_checked("results", kind)
        return results

    def kinds_of_results(self) -> tuple:
        """Kinds of which results.json is at once."""
        return (self.results_type,)

    def warn(self, results: dict) -> list[str]:
        """Sentences that a user should read before trusting the result."""
        return []

    def budget(self, share: float) -> dict:
        """For `fit`: the steps of one network, or its share of the minutes or FLOPs."""
        if self.minutes or self.flops:
            return {"minutes": self.minutes and self.minutes * share, "flops": self.flops and self.flops * share}
        return {"steps": self.steps}

    def extra_signals(self, spec: Struct) -> dict[str, Signal]:
        """The signals that `--also` adds, by name."""
        return dict(signal_from_spec(words, spec) for words in self.also)

    def with_extra_signals(self, signals: Mapping[str, Signal], spec: Struct) -> dict[str, Signal]:
        """The system's signals and those of `--also`."""
        extra = self.extra_signals(spec)
        for name in signals.keys() & extra.keys():
            raise CaudexError(f"--also {name}: this system teaches it already; leave it out.")
        return {**signals, **extra}

    def match_sources(self, signals: Mapping[str, Signal], **sources) -> dict:
        """A source for each signal, by what it needs, from those that the system has: `labelled`, `unlabelled`, ..."""
        for name, signal in signals.items():
            check_needs(name, signal.needs, sources)
        return {name: sources[signal.needs] for name, signal in signals.items()}

    def check(self) -> None:
        """Raises CaudexError for a setting out of its range; each system adds its own by `positive` and the like."""
        check_seed(self.seed)
        check_extra_signals(self.also, self.accepts)
        for name, lowest in {"steps": 1, "minutes": 1e-9, "flops": 1}.items():
            value = getattr(self, name)
            if value is not None and not lowest <= value < float("inf"):
                raise CaudexError(f"--{name} {value:g} trains nothing; give a positive number of {name}.")


def check_extra_signals(also: Sequence[str], accepts: Container[str]) -> None:
    """Raises CaudexError for signals of `--also` that are unknown, come twice, or have no source of their kind."""
    signals = {name: kind for name, kind, *_ in map(parse_spec, also)}
    for name, kind in signals.items():
        check_needs(name, kind.needs, accepts)
    if len(signals) < len(also):
        raise CaudexError(f"--also {' '.join(also)}: each signal can be added once; leave the second one out.")


def check_needs(name: str, needs: str, accepts: Container[str]) -> None:
    """Raises CaudexError for a signal of `--also` whose kind of source the system has not."""
    if needs not in accepts:
        what = NEEDS.get(needs, needs)
        raise CaudexError(f"--also {name}: it needs {what}, which this system has not; leave it out.")


def system_at_scale(name: str, scale: str = "laptop") -> System:
    """The system of that name with the settings of that scale."""
    kind = find_class("systems", name)
    scales = {"laptop": {}} | kind.scales
    if scale not in scales:
        raise CaudexError(f"{name} has no scale {scale!r}; it has {', '.join(scales)}.")
    return kind(**scales[scale])


def system_name(system: System) -> str:
    kind = type(system)
    return next(name for name, place in class_paths("systems").items() if place == f"{kind.__module__}:{kind.__name__}")


def write_settings(system: System, run: Run) -> System:
    """Check the settings, choose what they leave open, sign them as this user's, and write them down; returns them."""
    system.check()
    system = system.resolve()
    system.check()  # again: what was chosen need not fit what was set
    for name, value in vars(system).items():
        if isinstance(value, float) and not isfinite(value):
            raise CaudexError(f"--{name.replace('_', '-')} {value:g} cannot be kept as JSON; give a finite number.")
    run.write_json("hardware", asdict(run.hardware))
    run.save_settings(
        system_name(system), {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(system).items()}
    )
    return system


def open_run(path: str | Path) -> tuple[System, Run]:
    """The system and run of a run folder. Only registered classes are named there; none of its content is executed.

    The strings among the settings are `UntrustedName` where the run was not made here. Raises CaudexError where `path` is such a name.
    """
    check_trusted(path, f"begins with another run, {path!r}")
    run = Run(path)
    saved = run.settings()
    run = Run(path, hardware=read_dataclass(Hardware, run, "hardware"))
    kind, file = find_class("systems", saved["system"]), f"{path}/settings.json"
    unknown = sorted(set(saved["settings"]) - {field.name for field in fields(kind)})
    if unknown:
        raise CaudexError(
            f"{file} has the setting {unknown[0]!r}, which {saved['system']} does not know; it is of another version."
        )
    try:
        system = msgspec.convert(saved["settings"], kind)
    except msgspec.ValidationError as error:
        raise misfit(file, describe_misfit(error, saved["settings"], reprlib.repr)) from None
    if not is_own(run):
        system = replace(system, **{name: mark_untrusted(value, run) for name, value in vars(system).items()})
    try:
        system.check()
    except CaudexError as error:
        reason = str(error).rstrip(".")
        raise CaudexError(f"{file} does not fit {saved['system']}: {reason}.") from None
    run.seed = system.seed
    return system, run


def read_dataclass(kind: type, run: Run, name: str) -> Any:
    """The dataclass that the run keeps as NAME.json; its defaults where there is none."""
    if unknown := sorted(set(run.read_checked(name, kind) or {}) - {field.name for field in fields(kind)}):
        raise misfit(run.path / f"{name}.json", f"it has the unknown {unknown[0]!r}")
    return run.read_struct(name, kind) or kind()


def save_model(model: Any, run: Run) -> None:
    """Keep the weights, so that `load` needs no data and no stage's checkpoint, and the account of the run."""
    weights = serialize_tensors(distinct_tensors(model.state_dict()))
    run.write(MODEL_FILE, weights)
    run.write_json("compute", run.compute.report())
    run.write_json("finished", run.compute.report() | {"model": sha256(weights).hexdigest()})


def model_file_limit() -> int:
    """Bytes of weights that can be loaded: memory holds the file, its tensors and the network at once."""
    return available_memory() // 3


def read_model(run: Run) -> bytes | None:
    """model.safetensors of a finished run that has its spec; None where a part is gone or the weights are not those written."""
    finished, content = run.read_struct("finished", Finished), run.folder.read(MODEL_FILE, model_file_limit())
    if finished is None or content is None or not run.folder.stat("spec.json"):
        return None
    return content if sha256(content).hexdigest() == finished.model else None


def is_complete(run: Run) -> bool:
    """Whether the run is finished, its weights are those that were written, and its spec is there."""
    return read_model(run) is not None


def load(path: str | Path, best: bool = False) -> Any:
    """What `train` returned, from a run folder: an object with `.trunk`, `.signals`, its verbs, and `run`, the folder. `best` takes the
    policy that earned most when it was evaluated, also of a run that is not finished."""
    system, run = open_run(path)
    spec, file = run.read_spec(system.spec_type), run.path / (BEST_FILE if best else MODEL_FILE)
    if run.read_json("plan") is not None:
        raise CaudexError(f"{path} is a claim, not a model; its runs are below {path}/stages.")
    if best and not run.folder.stat(BEST_FILE):
        raise CaudexError(
            f"{path} has no {BEST_FILE}; a training with --evaluate-every keeps one, of what acts in an environment."
        )
    if not best and run.read_struct("finished", Finished) is None:
        raise CaudexError(f"{path} holds no finished training; `caudex resume {path}` goes on with it.")
    if spec is None:
        raise CaudexError(
            f"{path}/spec.json is gone; put it back, or `caudex resume {path}` writes it again from the data "
            "(an imported model is imported again)."
        )
    content = run.folder.read(BEST_FILE, model_file_limit()) if best else read_model(run)
    if content is None:
        raise CaudexError(f"{file} is gone or damaged; `caudex resume {path}` writes it again from the checkpoints.")
    weights = parse_tensors(content, file)
    try:
        num_weights = sum(tensor.numel() for tensor in weights.values())
        with parameter_limit(num_weights, file, "settings.json and spec.json"):
            model = system.model(mark_untrusted(spec, run, trusted_strings(system)))
    except RuntimeError as error:  # torch's, for sizes that no memory holds
        raise CaudexError(
            f"{path}: settings.json and spec.json describe no network that can be built ({short_message(error)}); restore them."
        ) from None
    load_weights(model, weights)
    model.run = run.path
    return model.eval()
