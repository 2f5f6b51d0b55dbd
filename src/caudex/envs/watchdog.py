"""Guards calls into the code of others: an exception, or a call that never returns, becomes one sentence."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

import numpy as np

from caudex.core.errors import CaudexError, EnvError

POLLS = 12  # of a call, with equal pauses between them, until it is taken to hang
PASSED_THROUGH = ("caudex", "gymnasium", "numpy")
running_calls: dict[int, GuardedCall] = {}  # by thread: the call that has not returned yet
watchers: list[threading.Thread] = []


class GuardedCall:
    """`with GuardedCall(name, "steps"):` turns what the environment raises into one sentence; CaudexErrors and the user's
    interruptions pass. Once `start_watchdog` was called, a call that does not return ends the process; set `env_index` to
    tell one environment from the next. Calls are not nested."""

    def __init__(self, name: str, activity: str):
        self.name, self.activity, self.env_index = name, activity, 0

    def __enter__(self):
        running_calls[threading.get_ident()] = self
        return self

    def __exit__(self, kind, error, trace):
        running_calls.pop(threading.get_ident(), None)
        if kind and issubclass(kind, (Exception, SystemExit)) and not issubclass(kind, CaudexError):
            raise EnvError(
                f"the environment {self.name} failed while it {self.activity}: {kind.__name__}: {str(error).rstrip('.')}"
                f"{error_location(trace)}."
            ) from error


def check_finite(name: str, arrays: Iterable[np.ndarray], when: str = "") -> None:
    """Raises EnvError where a reward or an observation is not finite."""
    if not all(np.isfinite(array).all() for array in arrays):
        raise EnvError(f"the environment {name} gave a reward or an observation that is no finite number{when}.")


def start_watchdog() -> None:
    """From now on, a call that takes longer than CAUDEX_PATIENCE (60 seconds) ends the process with one sentence.

    Nothing in the process can be asked to end it: the call may be in C. Not where a person types commands: there Ctrl-C
    does it, and the session must stay. Raises CaudexError for a CAUDEX_PATIENCE that is no time.
    """
    timeout = call_timeout()
    if hasattr(sys, "ps1") or timeout == float("inf") or any(thread.is_alive() for thread in watchers):
        return
    watchers[:] = [threading.Thread(target=poll_calls, args=(timeout,), name="caudex-watch", daemon=True)]
    watchers[0].start()


def call_timeout() -> float:
    """Seconds, of CAUDEX_PATIENCE."""
    setting = os.environ.get("CAUDEX_PATIENCE", "60")
    try:
        seconds = float(setting)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise CaudexError(f"CAUDEX_PATIENCE={setting} is no time; give seconds, as 600, or inf to wait for ever.")
    return seconds


def poll_calls(timeout: float) -> None:
    """Counts polls, not the clock: a process that was halted for an hour has not hung for one."""
    polls: dict[
        int, tuple[GuardedCall, int, int]
    ] = {}  # by thread: call, environment, polls in which both were the same
    while True:
        time.sleep(timeout / POLLS)
        previous, polls = polls, {}
        for thread, call in running_calls.copy().items():
            last_call, last_index, count = previous.get(thread, (None, 0, 0))
            same = last_call is call and last_index == call.env_index
            polls[thread] = (call, call.env_index, count + 1 if same else 1)
            if polls[thread][2] > POLLS and not is_debugged(thread):
                abort(call, timeout, code_location(thread))


def is_debugged(thread: int) -> bool:
    """Whether the thread stands still in a debugger."""
    frame = sys._current_frames().get(thread)
    while frame and frame.f_globals.get("__name__") not in ("bdb", "pdb"):
        frame = frame.f_back
    return frame is not None or "pydevd" in sys.modules


def error_location(trace: TracebackType | None) -> str:
    """File and line of the user's that raised, not those of what it called in the packages that everything passes through."""
    frames = [(frame.f_globals.get("__name__", ""), frame.f_code.co_filename, line) for frame, line in walk_tb(trace)]
    own = [frame for frame in frames if frame[0].partition(".")[0] not in PASSED_THROUGH]
    if not (own or frames):
        return ""
    _, file, line = (own or frames)[-1]
    return f" ({short_path(file)}, line {line})"


def short_path(file: str) -> str:
    """The path from the working folder, or from where packages are installed; else as it stands."""
    for folder in (f"{Path.cwd()}/", "/site-packages/"):
        if folder in file:
            return file.partition(folder)[2]
    return file


def code_location(thread: int) -> str:
    """File and line at which the thread stands."""
    frame = sys._current_frames().get(thread)
    return f" ({frame.f_code.co_filename}, line {frame.f_lineno})" if frame else ""


def abort(call: GuardedCall, timeout: float, location: str) -> None:
    """End the process with one sentence."""
    sentence = (
        f"caudex: the environment {call.name} has not come back for {timeout:g} s while it {call.activity}{location}; mend it, or "
        "set CAUDEX_PATIENCE to more seconds if it is only slow; `caudex resume` goes on from a checkpoint, where there is one.\n"
    )
    if os.isatty(2):  # a bar may stand in this line, and it has hidden the cursor
        sentence = f"\r\x1b[K\x1b[?25h{sentence}"
    os.write(2, sentence.encode(errors="replace"))  # what hangs may hold the lock of sys.stderr
    os._exit(1)
