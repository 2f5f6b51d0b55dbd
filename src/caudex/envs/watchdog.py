"""What goes wrong in the code of others, told in one sentence: it raises, or it does not come back."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable

import numpy as np

from caudex.core.errors import CaudexError

LOOKS = 12  # at a call, with equal pauses between them, until it is thought to hang
inside: dict[int, telling] = {}  # by thread: the call that has not come back yet
watchers: list[threading.Thread] = []


class telling:
    """What an environment raises becomes one sentence; our own and the user's interruptions pass. Where `watch` was called,
    one that does not come back ends the process; `place` is set to tell one environment from the next. None stands within
    another."""

    def __init__(self, name: str, what: str):
        self.name, self.what, self.place = name, what, 0

    def __enter__(self):
        inside[threading.get_ident()] = self
        return self

    def __exit__(self, kind, error, trace):
        inside.pop(threading.get_ident(), None)
        if kind and issubclass(kind, (Exception, SystemExit)) and not issubclass(kind, CaudexError):
            raise CaudexError(
                f"the environment {self.name} failed while it {self.what}: {kind.__name__}: {str(error).rstrip('.')}; mend it; "
                "`caudex resume` goes on from a checkpoint, where there is one."
            ) from error


def check_finite(name: str, numbers: Iterable[np.ndarray], when: str = "") -> None:
    """Raises CaudexError where a reward or an observation is no finite number."""
    if not all(np.isfinite(each).all() for each in numbers):
        raise CaudexError(
            f"the environment {name} gave a reward or an observation that is no finite number{when}; mend it; `caudex resume` goes "
            "on from a checkpoint, where there is one."
        )


def watch() -> None:
    """From now on, a call that takes longer than CAUDEX_PATIENCE (60 seconds) ends the process with one sentence.

    Nothing in the process can be asked to end it: the call may be in C. Not where a person types commands: there Ctrl-C
    does it, and the session must stay. Raises CaudexError for a CAUDEX_PATIENCE that is no time.
    """
    seconds = patience()
    if hasattr(sys, "ps1") or seconds == float("inf") or any(thread.is_alive() for thread in watchers):
        return
    watchers[:] = [threading.Thread(target=look, args=(seconds,), name="caudex-watch", daemon=True)]
    watchers[0].start()


def patience() -> float:
    given = os.environ.get("CAUDEX_PATIENCE", "60")
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise CaudexError(f"CAUDEX_PATIENCE={given} is no time; give seconds, as 600, or inf to wait for ever.")
    return seconds


def look(seconds: float) -> None:
    """Looks are counted, not the clock: a process that was halted for an hour has not hung for one."""
    seen: dict[int, tuple[telling, int, int]] = {}
    while True:
        time.sleep(seconds / LOOKS)
        before, seen = seen, {}
        for thread, call in inside.copy().items():
            known, at, times = before.get(thread, (None, 0, 0))
            seen[thread] = (call, call.place, times + 1 if known is call and at == call.place else 1)
            if seen[thread][2] > LOOKS and not debugged(thread):
                end(call, seconds, line(thread))


def debugged(thread: int) -> bool:
    """Whether it stands still because someone looks at it in a debugger."""
    frame = sys._current_frames().get(thread)
    while frame and frame.f_globals.get("__name__") not in ("bdb", "pdb"):
        frame = frame.f_back
    return frame is not None or "pydevd" in sys.modules


def line(thread: int) -> str:
    """Where it stands."""
    frame = sys._current_frames().get(thread)
    return f" ({frame.f_code.co_filename}, line {frame.f_lineno})" if frame else ""


def end(call: telling, seconds: float, where: str) -> None:
    sentence = (
        f"caudex: the environment {call.name} has not come back for {seconds:g} s while it {call.what}{where}; mend it, or set "
        "CAUDEX_PATIENCE to more seconds if it is only slow; `caudex resume` goes on from a checkpoint, where there is one.\n"
    )
    if os.isatty(2):  # a bar may stand in this line, and it has hidden the cursor
        sentence = f"\r\x1b[K\x1b[?25h{sentence}"
    os.write(2, sentence.encode(errors="replace"))  # what hangs may hold the lock of sys.stderr
    os._exit(1)
