"""A replay buffer on disk: rows that were written once are not written again."""

from __future__ import annotations

from collections import deque
from typing import Annotated, NotRequired, TypedDict

import numpy as np
from msgspec import Meta
from safetensors import SafetensorError
from safetensors.numpy import load, save

from caudex.core.errors import CaudexError, short_message
from caudex.core.hardware import available_memory
from caudex.core.root_folder import RootFolder
from caudex.core.typed_json import Count, check_kind
from caudex.experience.frame_buffer import FrameBuffer

BufferFileName = Annotated[str, Meta(pattern=r"^[0-9]{1,18}-[0-9]{1,18}\.safetensors$")]


class BufferState(TypedDict):
    num_added: Count
    files: list[BufferFileName]
    earlier_files: NotRequired[list[list[BufferFileName]]]


class BufferFiles:
    """The rows of a buffer as files of `rows_per_file` rows, and one of those that do not fill a file yet.

    A file is deleted once neither the last saved state needs it nor the `keep` before, which a kill while it is saved leaves.
    """

    def __init__(self, folder: RootFolder, buffer: FrameBuffer, keep: int = 1, steps_per_file: int = 1 << 16):
        self.folder, self.buffer = folder, buffer
        self.rows_per_file = max(1, steps_per_file // buffer.num_envs)
        self.saved_files: deque[list[str]] = deque(maxlen=keep)  # of the last saved states

    def save(self) -> dict:
        num_added, files = self.buffer.num_added, []
        oldest = max(0, num_added - self.buffer.rows)
        for first in range(oldest // self.rows_per_file * self.rows_per_file, num_added, self.rows_per_file):
            last = min(first + self.rows_per_file, num_added)
            files.append(f"{first}-{last}.safetensors")
            if not self.folder.stat(files[-1]):
                block = self.buffer.read_rows(max(first, oldest), last)
                self.folder.write(files[-1], save(block))
        for name in self.folder.names():
            if name.endswith(".safetensors") and name not in set(files).union(*self.saved_files):
                self.folder.remove(name)
        self.saved_files.append(files)
        return {"num_added": num_added, "files": files, "earlier_files": list(self.saved_files)[:-1]}

    def load(self, state: dict) -> None:
        """Raises CaudexError for a file that is gone, damaged, or of another buffer."""
        check_kind(state, BufferState)
        self.buffer.num_added = state["num_added"]
        self.saved_files.extend([*state.get("earlier_files", []), state["files"]])
        for name in state["files"]:
            content = self.folder.read(name, available_memory())
            last = int(name.partition(".")[0].partition("-")[2])
            try:
                block = load(content or b"")
                first = last - len(block["rewards"])
                self.buffer.check_block(first, block)
            except (SafetensorError, KeyError, ValueError) as error:
                raise CaudexError(
                    f"{self.folder.path / name} is gone or damaged ({short_message(error)}); begin a new run."
                ) from None
            self.buffer.write_rows(first, {key: np.array(array) for key, array in block.items()})
