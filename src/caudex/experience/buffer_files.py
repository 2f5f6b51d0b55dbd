"""A memory on disk: what was written once is not written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from caudex.core.disk import write_atomically
from caudex.core.errors import CaudexError
from caudex.experience.frame_buffer import FrameBuffer


class Segments:
    """The rows of a memory as files of `length` rows, and one of those that do not fill a file yet.

    A file goes once neither the state that was saved last nor the one before it, which a kill may leave, needs it.
    """

    def __init__(self, folder: Path, memory: FrameBuffer, size: int = 1 << 16):
        self.folder, self.memory = folder, memory
        self.length, self.read_json = max(1, size // memory.frames.shape[1]), set[str]()

    def save(self) -> dict:
        count, files = self.memory.count, []
        for first in range(max(0, count - self.memory.rows) // self.length * self.length, count, self.length):
            last = min(first + self.length, count)
            begin = max(first, count - self.memory.rows)
            files.append(f"{first}-{last}.safetensors")
            if not (self.folder / files[-1]).exists():
                write_atomically(self.folder / files[-1], save(self.memory.block(begin, last)))
        for file in self.folder.glob("*.safetensors"):
            if file.name not in self.read_json | set(files):
                file.unlink()
        self.read_json = set(files)
        return {"count": count, "files": files}

    def load(self, state: dict) -> None:
        self.memory.count, self.read_json = state["count"], set(state["files"])
        for name in state["files"]:
            try:
                block = load((self.folder / name).read_bytes())
            except (OSError, ValueError) as error:
                raise CaudexError(f"{self.folder / name} is gone or damaged ({error}); begin a new run.") from None
            last = int(name.partition(".")[0].partition("-")[2])
            self.memory.put(last - len(block["rewards"]), {key: np.array(value) for key, value in block.items()})
