"""The run folder: all of one training, readable without this package.

settings.yaml   the system's name and settings (`format: 1`)
facts.json      what training found out about its data (classes, image shape), enough to rebuild the network
metrics.jsonl   one row every so many steps; timing.jsonl has all clock figures apart, so that metrics compare bit for bit
checkpoints/    STEP/weights.safetensors, optimizer.safetensors, state.json with their hashes
tables/*.csv, figures/*.png, claim.json, compute.json, finished.json, report.html
stages/NAME/    the same again for each further fit of the system
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from caudex.core.compute import Compute, count_flops
from caudex.core.disk import digest, fsync_folder, pack_tensors, serialize_tensors, unpack_tensors, write_atomically
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware

FORMAT = 1


class Run:
    """A run folder. `stage(name)` is the folder of one of several fits; each has its own seed."""

    def __init__(
        self,
        path: str | Path,
        seed: int = 0,
        hardware: Hardware | None = None,
        parent: Run | None = None,
        name: str = "",
    ):
        self.path, self.name = Path(path), name
        self.root: Run = parent.root if parent else self
        self.seed = derive_seed(seed, name) if name else seed
        self.hardware = hardware or Hardware()
        self.compute: Compute = parent.compute if parent else Compute(price=self.hardware.price)  # one account for all
        if parent is None:
            self.quiet, self.printed = False, set()

    # -- stages ------------------------------------------------------------------------------------------------

    def stage(self, name: str) -> Run:
        return Run(self.path / "stages" / name, self.seed, self.hardware, self, name)

    @property
    def is_main_process(self) -> bool:
        """Whether this process writes (the first of several, also before they know each other)."""
        if torch.distributed.is_initialized():
            return torch.distributed.get_rank() == 0
        alone = self.hardware.devices * self.hardware.nodes == 1
        ranks = ("RANK", "NODE_RANK", "LOCAL_RANK", "SLURM_PROCID")  # as launchers tell them
        return alone or all(os.environ.get(rank, "0") == "0" for rank in ranks)

    # -- files -------------------------------------------------------------------------------------------------

    def write(self, name: str, content: str | bytes) -> None:
        """Whole or not at all."""
        if self.is_main_process:
            with self.writing(name):
                write_atomically(self.path / name, content)

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """A full disk and its like become a sentence that says what is safe."""
        try:
            yield
        except OSError as error:
            root, good = self.root.path, self.checkpoints
            way = f"run `caudex resume {root}`" if any(root.rglob("checkpoints/*")) else "start again"
            if (root / "finished.json").exists():
                way = f"run `caudex report {root}`"
            safe = f"; the last good checkpoint is {good[-1]}" if good else ""
            raise CaudexError(
                f"could not write {what} ({error.strerror or error}){safe}. Make room and {way}."
            ) from None

    def write_json(self, name: str, value: Any) -> None:
        """A JSON file of the run."""
        self.write(name + ".json", json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def read_json(self, name: str, default: Any = None) -> Any:
        file = self.path / (name + ".json")
        if not file.exists():
            return default
        try:
            return json.loads(file.read_text())
        except ValueError:
            raise CaudexError(
                f"{file} is not readable JSON; it was changed after it was written. Restore it or train anew."
            ) from None

    def table(self, name: str, rows: Iterable[dict]) -> None:
        """tables/NAME.csv with the rows' keys as its header."""
        rows, text = list(rows), io.StringIO()
        if rows:
            writer = csv.DictWriter(text, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
            self.write(f"tables/{name}.csv", text.getvalue())

    @contextmanager
    def figure(self, name: str, columns: int = 1, rows: int = 1, width: float = 5.0, height: float = 3.6) -> Iterator:
        """Axes to draw on (an array of them where there are several); saved as figures/NAME.png."""
        from matplotlib.figure import Figure  # without pyplot: no global state, no window

        figure = Figure((width * columns, height * rows), dpi=120, layout="constrained")
        yield figure.subplots(rows, columns)
        image = io.BytesIO()
        figure.savefig(image, format="png")
        self.write(f"figures/{name}.png", image.getvalue())

    @contextmanager
    def counting(self, *modules: nn.Module) -> Iterator[None]:
        """Add to the run's account what is computed meanwhile outside of `fit` (a teacher's labelling)."""
        started = time.perf_counter()
        with count_flops(*modules) as counter:
            yield
        self.add_cost(counter.flops, time.perf_counter() - started)

    @contextmanager
    def seeded(self, what: str) -> Iterator[None]:
        """Random numbers that follow from the run's seed and `what`; the global generators stay as they were."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, what))
            yield

    def add_cost(self, flops: float, seconds: float) -> None:
        self.compute.flops += flops
        self.compute.seconds += seconds

    # -- settings ----------------------------------------------------------------------------------------------

    def save_settings(self, system: str, settings: dict) -> None:
        self.write(
            "settings.yaml", yaml.safe_dump({"format": FORMAT, "system": system, "settings": settings}, sort_keys=False)
        )

    def settings(self) -> dict:
        """{'system': name, 'settings': {...}}; raises CaudexError where this is no run of ours."""
        file = self.path / "settings.yaml"
        if not file.exists():
            raise CaudexError(
                f"{self.path} is not a run folder: it has no settings.yaml. `caudex train SYSTEM` prints the folder it made."
            )
        try:
            found = yaml.safe_load(file.read_text())
            if found["format"] != FORMAT:
                raise CaudexError(
                    f"{self.path} was written in run format {found['format']}; this caudex reads format {FORMAT}. "
                    "Open it with the version that wrote it, or train anew."
                )
            return {"system": str(found["system"]), "settings": dict(found["settings"])}
        except (yaml.YAMLError, KeyError, TypeError, ValueError):
            raise CaudexError(
                f"{file} is damaged: it must name format, system and settings. Restore it or train anew."
            ) from None

    # -- checkpoints -------------------------------------------------------------------------------------------

    @property
    def checkpoints(self) -> list[Path]:
        """Complete ones, oldest first."""
        folder = self.path / "checkpoints"
        return (
            sorted((p for p in folder.glob("[0-9]*") if p.name.isdigit()), key=lambda p: int(p.name))
            if folder.exists()
            else []
        )

    def save_checkpoint(self, step: int, weights: dict[str, Tensor], state: dict) -> None:
        """Written aside, flushed to disk, renamed; then older ones go. A failure leaves the last one as it was."""
        if not self.is_main_process:
            return
        folder = self.path / "checkpoints"
        final, aside, before = folder / str(step), folder / f".{step}", folder / f".{step}.before"
        with self.writing(f"the checkpoint of step {step:,}"):
            for left in folder.glob(".*"):  # by a save that was killed
                shutil.rmtree(left, ignore_errors=True)
            try:
                aside.mkdir(parents=True)
                tensors: dict[str, Tensor] = {}
                packed = json.dumps(pack_tensors(state, tensors))
                hashes = {"state": digest(packed.encode())}
                for name, values in {"weights": weights, "optimizer": tensors}.items():
                    content = serialize_tensors(values)
                    hashes[name] = digest(content)
                    write_atomically(aside / f"{name}.safetensors", content)
                write_atomically(aside / "state.json", json.dumps({"step": step, "hashes": hashes, "state": packed}))
                fsync_folder(aside)
                if final.exists():
                    final.rename(before)
                aside.rename(final)
                fsync_folder(folder)
            except OSError:
                shutil.rmtree(aside, ignore_errors=True)
                raise
        for path in (before, *self.checkpoints):
            if path != final:
                shutil.rmtree(path, ignore_errors=True)

    def load_checkpoint(self) -> tuple[int, dict[str, Tensor], dict] | None:
        """Step, weights and state of the newest checkpoint, or None; raises CaudexError if it was changed."""
        from safetensors.torch import load

        if not self.checkpoints:
            return None
        path = self.checkpoints[-1]
        try:
            about = json.loads((path / "state.json").read_text())
            contents = {name: (path / f"{name}.safetensors").read_bytes() for name in ("weights", "optimizer")}
            parts = contents | {"state": about["state"].encode()}
            good = all(digest(part) == about["hashes"][name] for name, part in parts.items())
            good = good and about["step"] == int(path.name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            good = False
        if not good:
            raise CaudexError(
                f"checkpoint {path} was changed after it was written; put it back as it was, or delete that folder "
                "and train this part anew."
            )
        tensors = load(contents["optimizer"])
        return about["step"], load(contents["weights"]), unpack_tensors(json.loads(about["state"]), tensors)

    # -- metrics -----------------------------------------------------------------------------------------------

    def log(self, step: int, metrics: dict[str, float]) -> None:
        self._append("metrics.jsonl", {"step": step} | metrics)

    def log_timing(self, step: int, figures: dict[str, float]) -> None:
        self._append("timing.jsonl", {"step": step} | figures)

    def _append(self, name: str, row: dict) -> None:
        if self.is_main_process:
            self.path.mkdir(parents=True, exist_ok=True)
            with self.writing(name), (self.path / name).open("a") as file:
                file.write(json.dumps(row) + "\n")

    def metrics(self, name: str = "metrics.jsonl") -> list[dict]:
        file, rows = self.path / name, []
        if file.exists():
            for line in file.read_text().splitlines():
                try:
                    rows.append(json.loads(line))
                except ValueError:
                    break  # the line that a kill cut short
        return rows

    def board(self, step: int):
        """Where TensorBoard reads; what an earlier try wrote from `step` on does not count."""
        from torch.utils.tensorboard import SummaryWriter  # slow to import

        return SummaryWriter(str(self.path / "tensorboard"), purge_step=step)

    def logged(self) -> dict[str, int]:
        """Bytes in each file of metrics."""
        files = (self.path / name for name in ("metrics.jsonl", "timing.jsonl"))
        return {file.name: file.stat().st_size for file in files if file.exists()}

    def truncate_metrics(self, logged: Mapping[str, int]) -> None:
        """Forget the metrics that came after so many bytes: they will come again."""
        for name, size in self.logged().items() if self.is_main_process else ():
            os.truncate(self.path / name, min(size, logged.get(name, 0)))


def derive_seed(seed: int, *names: object) -> int:
    """A seed that depends on the seed and the names alone, in [0, 2**62)."""
    return int.from_bytes(hashlib.blake2b(repr((seed, *names)).encode(), digest_size=8).digest(), "little") >> 2
