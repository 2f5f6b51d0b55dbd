"""Checkpoints of one fit: STEP/weights.safetensors, optimizer.safetensors, and state.json with their hashes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from torch import Tensor

from caudex.core.disk import digest, fsync_folder, pack_tensors, serialize_tensors, unpack_tensors, write_atomically
from caudex.core.errors import CaudexError
from caudex.core.run_files import RunFiles, complete_checkpoints


class Checkpoints:
    """The newest complete checkpoint of a run folder; older ones are deleted once a new one is on disk."""

    def __init__(self, files: RunFiles):
        self.files, self.folder = files, files.path / "checkpoints"

    def paths(self) -> list[Path]:
        """Complete ones, oldest first."""
        return complete_checkpoints(self.files.path)

    def save(self, step: int, weights: dict[str, Tensor], state: dict) -> None:
        """Written aside, flushed to disk, renamed; then older ones go. A failure leaves the last one as it was."""
        if not self.files.is_main_process:
            return
        final, partial, replaced = (self.folder / name for name in (str(step), f".{step}", f".{step}.before"))
        with self.files.explain_failure(f"the checkpoint of step {step:,}"):
            for abandoned in self.folder.glob(".*"):  # by a save that was killed
                shutil.rmtree(abandoned, ignore_errors=True)
            try:
                self._write(partial, step, weights, state)
                if final.exists():
                    final.rename(replaced)
                partial.rename(final)
                fsync_folder(self.folder)
            except OSError:
                shutil.rmtree(partial, ignore_errors=True)
                raise
        for path in (replaced, *self.paths()):
            if path != final:
                shutil.rmtree(path, ignore_errors=True)

    def _write(self, folder: Path, step: int, weights: dict[str, Tensor], state: dict) -> None:
        folder.mkdir(parents=True)
        tensors: dict[str, Tensor] = {}
        packed = json.dumps(pack_tensors(state, tensors))
        hashes = {"state": digest(packed.encode())}
        for name, part in {"weights": weights, "optimizer": tensors}.items():
            content = serialize_tensors(part)
            hashes[name] = digest(content)
            write_atomically(folder / f"{name}.safetensors", content)
        write_atomically(folder / "state.json", json.dumps({"step": step, "hashes": hashes, "state": packed}))
        fsync_folder(folder)

    def load(self) -> tuple[int, dict[str, Tensor], dict] | None:
        """Step, weights and state of the newest checkpoint, or None; raises CaudexError if it was changed."""
        from safetensors.torch import load

        paths = self.paths()
        if not paths:
            return None
        path = paths[-1]
        try:
            header = json.loads((path / "state.json").read_text())
            contents = {name: (path / f"{name}.safetensors").read_bytes() for name in ("weights", "optimizer")}
            hashed = contents | {"state": header["state"].encode()}
            unchanged = all(digest(part) == header["hashes"][name] for name, part in hashed.items())
            unchanged = unchanged and header["step"] == int(path.name)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            unchanged = False
        if not unchanged:
            raise CaudexError(
                f"checkpoint {path} was changed after it was written; put it back as it was, or delete that folder "
                "and train this part anew."
            )
        tensors = load(contents["optimizer"])
        return header["step"], load(contents["weights"]), unpack_tensors(json.loads(header["state"]), tensors)
