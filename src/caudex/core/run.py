"""The run folder: all of one training, readable without this package.

settings.json   the system's name and settings (`format: 2`)
signature.json  shows that this user made the run on this machine; see `trust`
spec.json       what the network must know of its data (classes, image shape), enough to rebuild it
metrics.jsonl   one row every so many steps; timing.jsonl has all clock figures apart, so that metrics compare bit for bit
checkpoints/    STEP/weights.safetensors, optimizer.safetensors, state.json with their hashes
best.safetensors, video/*.mp4 of what acts, where they were asked for
tables/*.csv, figures/*.png, claim.json, compute.json, finished.json, report.html
stages/NAME/    the same again for each further fit of the system
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from msgspec import Struct
from torch import Tensor, nn

from caudex.core.checkpoints import Checkpoints
from caudex.core.compute import Compute, count_flops
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.metrics_log import MetricsLog
from caudex.core.root_folder import RootFolder
from caudex.core.run_files import RunFiles, json_text
from caudex.core.run_records import Settings
from caudex.core.seeds import derive_seed, seeded
from caudex.core.trust import sign
from caudex.core.typed_json import decode_json

FORMAT = 2
S = TypeVar("S", bound=Struct)


class Run(RunFiles):
    """A run folder. `stage(name)` is the folder of one of several fits; each has its own seed."""

    def __init__(
        self,
        path: str | Path,
        seed: int = 0,
        hardware: Hardware | None = None,
        parent: Run | None = None,
        name: str = "",
    ):
        self.name, self.main = name, parent.main if parent else self
        folder = parent.folder.below(f"stages/{name}") if parent else RootFolder(Path(path))
        super().__init__(folder, hardware or Hardware())
        self.seed = derive_seed(seed, name) if name else seed
        self.compute: Compute = parent.compute if parent else Compute(price=self.hardware.price)  # one account for all
        self._checkpoints, self._log = Checkpoints(self), MetricsLog(self)
        if parent is None:
            self.quiet, self.printed = False, set()

    def stage(self, name: str) -> Run:
        return Run(self.path / "stages" / name, self.seed, self.hardware, self, name)

    def stage_names(self) -> list[str]:
        """The stages that have a folder."""
        return self.folder.names("stages")

    def seeded(self, name: str) -> AbstractContextManager[None]:
        """Random numbers that follow from the run's seed and `name`; the global generators stay as they were."""
        return seeded(derive_seed(self.seed, name))

    def source_seed(self, name: str) -> int:
        """The seed of a further source in a fit: with the first one's it would share order and augmentations."""
        return derive_seed(self.seed, "source", name)

    # -- settings and spec -------------------------------------------------------------------------------------

    def save_settings(self, system: str, settings: dict, is_own: bool = True) -> None:
        """Write the settings, and sign them where they are this user's own; hardware.json, and plan.json of a claim, are signed
        with them and come before."""
        content = json_text({"format": FORMAT, "system": system, "settings": settings})
        if is_own:
            sign(self, content.encode())  # first: a run that is killed in between is still its user's own
        self.write("settings.json", content)

    def settings(self) -> dict:
        """{'system': name, 'settings': {...}}; raises CaudexError where this is no run of ours."""
        if self.folder.stat("settings.yaml"):
            raise CaudexError(
                f"{self.path} was written in run format 1; this caudex reads format {FORMAT}. "
                "Open it with the version that wrote it, or train anew."
            )
        content = self.folder.read("settings.json")
        if content is None:
            raise CaudexError(
                f"{self.path} is not a run folder: it has no settings.json. `caudex train SYSTEM` prints the folder it made."
            )
        try:
            saved = decode_json(content, Settings, "settings.json")
        except CaudexError:
            raise CaudexError(
                f"{self.path}/settings.json is damaged: it must name format, system and settings. Restore it or train anew."
            ) from None
        if saved.format != FORMAT:
            raise CaudexError(
                f"{self.path} was written in run format {saved.format}; this caudex reads format {FORMAT}. "
                "Open it with the version that wrote it, or train anew."
            )
        return {"system": saved.system, "settings": saved.settings}

    def write_spec(self, spec: Struct) -> None:
        self.write_struct("spec", spec)

    def read_spec(self, kind: type[S]) -> S | None:
        return self.read_struct("spec", kind)

    # -- compute -----------------------------------------------------------------------------------------------

    @contextmanager
    def counting(self, *modules: nn.Module) -> Iterator[None]:
        """Add to the run's account what is computed meanwhile outside of `fit` (a teacher's labelling)."""
        started = time.perf_counter()
        with count_flops(*modules) as counter:
            yield
        self.add_cost(counter.flops, time.perf_counter() - started)

    def add_cost(self, flops: float, seconds: float) -> None:
        self.compute.flops += flops
        self.compute.seconds += seconds

    # -- checkpoints -------------------------------------------------------------------------------------------

    @property
    def checkpoints(self) -> list[Path]:
        """Complete ones, oldest first."""
        return self._checkpoints.paths()

    def save_checkpoint(self, step: int, weights: dict[str, Tensor], state: dict) -> None:
        self._checkpoints.save(step, weights, state)

    def load_checkpoint(self) -> tuple[int, dict[str, Tensor], dict] | None:
        return self._checkpoints.load()

    # -- metrics -----------------------------------------------------------------------------------------------

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._log.append("metrics.jsonl", step, metrics)

    def log_timing(self, step: int, figures: Mapping[str, float]) -> None:
        self._log.append("timing.jsonl", step, figures)

    def metrics(self, name: str = "metrics.jsonl") -> list[dict]:
        return self._log.rows(name)

    def metrics_sizes(self) -> dict[str, int]:
        return self._log.sizes()

    def truncate_metrics(self, sizes: Mapping[str, int]) -> None:
        self._log.truncate(sizes)
