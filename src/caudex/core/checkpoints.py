"""Checkpoints of one fit: STEP/weights.safetensors, optimizer.safetensors, and state.json with their hashes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from caudex.core.disk import digest, pack_tensors, parse_tensors, serialize_tensors, unpack_tensors
from caudex.core.errors import CaudexError
from caudex.core.hardware import available_memory
from caudex.core.run_files import CHECKPOINTS, RunFiles, complete_checkpoints
from caudex.core.run_records import CheckpointHeader
from caudex.core.typed_json import decode_json

TENSOR_FILES = ("weights", "optimizer")


class Checkpoints:
    """The newest complete checkpoints of a run folder, `Hardware.keep` of them; older ones are deleted once a new one is on disk."""

    def __init__(self, files: RunFiles):
        self.files, self.folder = files, files.folder

    def paths(self) -> list[Path]:
        """Complete ones, oldest first."""
        return [self.folder.path / name for name in complete_checkpoints(self.folder)]

    def save(self, step: int, weights: dict[str, Tensor], state: dict) -> None:
        """Written aside, flushed to disk, renamed; then older ones go. A failure leaves the last one as it was."""
        if not self.files.is_main_process:
            return
        final, partial, replaced = (f"{CHECKPOINTS}/{name}" for name in (str(step), f".{step}", f".{step}.before"))
        with self.files.explain_failure(f"the checkpoint of step {step:,}"):
            for name in self.folder.names(CHECKPOINTS):
                if name.startswith("."):  # abandoned by a save that was killed
                    self.folder.remove(f"{CHECKPOINTS}/{name}")
            try:
                self._write(partial, step, weights, state)
                if self.folder.stat(final):
                    self.folder.rename(final, replaced)
                self.folder.rename(partial, final)
                self.folder.fsync(CHECKPOINTS)
            except OSError:
                self.folder.remove(partial)
                raise
        for name in (replaced, *complete_checkpoints(self.folder)[: -self.files.hardware.keep]):
            self.folder.remove(name)

    def _write(self, name: str, step: int, weights: dict[str, Tensor], state: dict) -> None:
        tensors: dict[str, Tensor] = {}
        packed = json.dumps(pack_tensors(state, tensors))
        hashes = {"state": digest(packed.encode())}
        for file, part in zip(TENSOR_FILES, (weights, tensors)):
            content = serialize_tensors(part)
            hashes[file] = digest(content)
            self.folder.write(f"{name}/{file}.safetensors", content)
        header = json.dumps({"step": step, "hashes": hashes, "state": packed})
        self.folder.write(f"{name}/state.json", header.encode())
        self.folder.fsync(name)

    def load(self) -> tuple[int, dict[str, Tensor], dict] | None:
        """Step, weights and state of the newest checkpoint, or None; raises CaudexError if it was changed."""
        if not (names := complete_checkpoints(self.folder)):
            return None
        name, path = names[-1], self.folder.path / names[-1]
        header, contents = self._read(name)
        if header is None:
            raise CaudexError(
                f"checkpoint {path} was changed after it was written; put it back as it was, or delete that folder "
                "and train this part anew."
            )
        weights, tensors = (parse_tensors(contents[file], path / f"{file}.safetensors") for file in TENSOR_FILES)
        packed = decode_json(header.state.encode(), Any, path / "state.json")
        try:
            return header.step, weights, unpack_tensors(packed, tensors)
        except (KeyError, TypeError, ValueError, RecursionError):
            raise CaudexError(
                f"{path}/state.json is not as caudex wrote it; delete {path} and train this part anew."
            ) from None

    def _read(self, name: str) -> tuple[CheckpointHeader | None, dict[str, bytes]]:
        """The header, None where it does not fit the files, and their contents."""
        content = self.folder.read(f"{name}/state.json")
        files = {file: self.folder.read(f"{name}/{file}.safetensors", available_memory()) for file in TENSOR_FILES}
        contents = {file: content for file, content in files.items() if content is not None}
        try:
            header = decode_json(content or b"", CheckpointHeader, name)
        except CaudexError:
            return None, contents
        hashes = {file: digest(part) for file, part in (contents | {"state": header.state.encode()}).items()}
        expected = {file: getattr(header.hashes, file) for file in ("state", *TENSOR_FILES)}
        unchanged = hashes == expected and header.step == int(name.rpartition("/")[2])
        return header if unchanged else None, contents
