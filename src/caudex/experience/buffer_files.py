"""A replay buffer on disk: rows that were written once are not written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from caudex.core.disk import write_atomically
from caudex.core.errors import CaudexError
from caudex.experience.frame_buffer import FrameBuffer


class BufferFiles:
    """The rows of a buffer as files of `rows_per_file` rows, and one of those that do not fill a file yet.

    A file is deleted once neither the last saved state nor the one before it, which a kill may leave, needs it.
    """

    def __init__(self, folder: Path, buffer: FrameBuffer, steps_per_file: int = 1 << 16):
        self.folder, self.buffer = folder, buffer
        self.rows_per_file, self.saved_files = max(1, steps_per_file // buffer.num_envs), set[str]()

    def save(self) -> dict:
        num_added, files = self.buffer.num_added, []
        oldest = max(0, num_added - self.buffer.rows)
        for first in range(oldest // self.rows_per_file * self.rows_per_file, num_added, self.rows_per_file):
            last = min(first + self.rows_per_file, num_added)
            files.append(f"{first}-{last}.safetensors")
            if not (self.folder / files[-1]).exists():
                block = self.buffer.read_rows(max(first, oldest), last)
                write_atomically(self.folder / files[-1], save(block))
        for file in self.folder.glob("*.safetensors"):
            if file.name not in self.saved_files | set(files):
                file.unlink()
        self.saved_files = set(files)
        return {"num_added": num_added, "files": files}

    def load(self, state: dict) -> None:
        self.buffer.num_added, self.saved_files = state["num_added"], set(state["files"])
        for name in state["files"]:
            try:
                block = load((self.folder / name).read_bytes())
            except (OSError, ValueError) as error:
                raise CaudexError(f"{self.folder / name} is gone or damaged ({error}); begin a new run.") from None
            last = int(name.partition(".")[0].partition("-")[2])
            first = last - len(block["rewards"])
            self.buffer.write_rows(first, {key: np.array(array) for key, array in block.items()})
