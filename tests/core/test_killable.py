"""Calls that hang, eat memory or die end alone."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from caudex.core.errors import CaudexError
from caudex.core.killable import CallFailed, KillableWorker
from caudex.envs.scenes.randomiser import check_rows


@pytest.fixture
def worker():
    with KillableWorker(memory=1 << 30) as worker:
        yield worker


def test_calls_share_a_process_until_one_is_killed(worker):
    first = worker.call(os.getpid, seconds=30)
    assert worker.call(os.getpid, seconds=30) == first != os.getpid()
    start = time.monotonic()
    with pytest.raises(CallFailed, match=r"not done after 0.3 s"):
        worker.call(time.sleep, 60, seconds=0.3)
    assert time.monotonic() - start < 5
    assert worker.call(os.getpid, seconds=30) != first


def test_what_a_call_started_dies_with_it(worker, tmp_path):
    with pytest.raises(CallFailed):
        worker.call(subprocess.run, ["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60"], seconds=5)
    child = Path("/proc", (tmp_path / "pid").read_text().strip(), "status")
    for _ in range(50):
        if not child.exists() or "zombie" in child.read_text():
            return
        time.sleep(0.1)
    raise AssertionError("the child lives on")


def test_memory_is_bounded(worker):
    with pytest.raises(CallFailed, match="1,024 MB of memory"):
        worker.call(bytearray, 2 << 30, seconds=30)


@pytest.mark.parametrize(
    ("function", "error", "sentence"), [(check_rows, CaudexError, "no row 'x'"), (int, CallFailed, "invalid literal")]
)
def test_errors_come_back(worker, function, error, sentence):
    with pytest.raises(error, match=sentence):
        worker.call(function, "x", seconds=30)


def test_a_process_that_dies_is_said_so(worker):
    with pytest.raises(CallFailed, match="its process ended"):
        worker.call(os._exit, 3, seconds=30)
