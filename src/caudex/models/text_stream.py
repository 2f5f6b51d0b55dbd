"""Text as its tokens come: what later tokens could change is held back."""

from __future__ import annotations

from collections.abc import Container, Sequence

from caudex.core.errors import CaudexError
from caudex.data import Tokenizer

WINDOW = 8
"""tokens before the new ones that are decoded with them: in some vocabularies a token's text depends on the one before"""
UNFINISHED = "\ufffd"
"""what bytes become that are not yet a character"""


class TextStream:
    """The characters that tokens add to a prompt, until a token ends the text or one of the `stop` strings comes, which is cut off.

    Of several stop strings the one that is complete first counts, and of those that end together the longest.
    Held back are bytes of unfinished characters, and characters that a stop string may begin with, for it may span tokens.
    Raises CaudexError for an empty stop string.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        prompt_ids: Sequence[int],
        stop: Sequence[str] = (),
        eos_token_ids: Container[int] = (),
    ):
        check_stop(stop)
        self.tokenizer, self.stop, self.eos_token_ids = tokenizer, tuple(stop), eos_token_ids
        self.window = list(prompt_ids[-WINDOW:])  # the last tokens whose text is out, then those whose text is not
        self.num_decoded = len(self.window)
        self.pending = ""
        self.is_finished = False

    def add(self, token: int) -> str:
        """The characters that are certain now; "" once the text has ended."""
        if self.is_finished:
            return ""
        if token in self.eos_token_ids:
            return self.finish()
        self.window.append(token)
        before, text = self._decode(self.window[: self.num_decoded]), self._decode(self.window)
        if len(text) > len(before) and not text.endswith(UNFINISHED):
            self.pending += text[len(before) :]
            self.window = self.window[-WINDOW:]
            self.num_decoded = len(self.window)
        return self._release()

    def finish(self) -> str:
        """The characters that were held back as a possible stop string: no further tokens come."""
        self.is_finished, text, self.pending = True, self.pending, ""
        return text

    def _release(self) -> str:
        """Of the pending characters those that no stop string can begin with."""
        starts = [(self.pending.find(stop), len(stop)) for stop in self.stop if stop in self.pending]
        if starts:
            # whichever is complete first ends the text, as if characters came one by one
            _, start = min((start + length, start) for start, length in starts)
            self.pending = self.pending[:start]
            return self.finish()
        held = max((overlap(self.pending, stop) for stop in self.stop), default=0)
        certain = len(self.pending) - held
        text, self.pending = self.pending[:certain], self.pending[certain:]
        return text

    def _decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)


def overlap(text: str, stop: str) -> int:
    """How many characters at the end of the text are the beginning of the stop string."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-n:])), 0)


def check_stop(stop: Sequence[str]) -> None:
    """Raises CaudexError for an empty stop string."""
    if "" in stop:
        raise CaudexError("--stop is empty, and every text begins with that; give the characters that end the text.")
