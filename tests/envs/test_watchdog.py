"""Environments that do not come back: the run ends with a sentence, and nobody else is disturbed."""

import io
import os
import pdb
import subprocess
import sys
import threading

import pytest
from helpers.command_line import CAUDEX

from caudex.core.errors import CaudexError
from caudex.envs import watchdog
from caudex.envs.watchdog import POLLS

STUCK = """
import threading, time
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv

class Stuck(CartPoleEnv):
    def __init__(self, how):
        super().__init__()
        self.how, self.steps = how, 0

    def step(self, action):
        self.steps += 1
        if self.steps > 90 and self.how == "loop":
            while True:
                time.sleep(0.01)
        return super().step(action)

    def reset(self, seed=None, options=None):
        if self.steps > 90 and self.how == "lock":
            lock = threading.Lock()
            lock.acquire(), lock.acquire()
        return super().reset(seed=seed)

for how in ("loop", "lock"):
    gymnasium.register(f"Stuck-{how}-v0", Stuck, kwargs={"how": how})
"""


@pytest.mark.parametrize(("how", "what"), [("loop", "steps"), ("lock", "begins an episode")])
def test_an_environment_that_hangs_ends_the_run_and_leaves_its_checkpoint(how, what, tmp_path):
    (tmp_path / "stuck.py").write_text(STUCK)
    words = ("train", "ppo", "--env", f"stuck:Stuck-{how}-v0", "--scale", "tiny", "--threads", "1", "--num-envs", "2")
    words += ("--horizon", "16", "--batch", "16", "--total-steps", "2000", "--save-seconds", "0", "--run", "run")
    completed = subprocess.run(
        [*CAUDEX, *words], cwd=tmp_path, env={**os.environ, "CAUDEX_PATIENCE": "1"}, capture_output=True, text=True
    )
    assert completed.returncode == 1 and "Traceback" not in completed.stderr
    last = completed.stderr.splitlines()[-1]
    assert last.startswith(f"caudex: the environment stuck:Stuck-{how}-v0 has not come back for 1 s while it {what} (")
    assert f"{tmp_path / 'stuck.py'}, line " in last and "`caudex resume`" in last
    assert list((tmp_path / "run" / "stages" / "training" / "checkpoints").iterdir())


class Ended(Exception):
    pass


def watch_calls(monkeypatch, seconds, calls):
    """After how many looks the process ends, if at all, when the next of `calls` is what goes on at each look."""
    calls, looks = iter(calls), []

    def sleep(pause):
        assert pause == seconds / POLLS
        call = next(calls, None)
        if call is None:
            raise StopIteration
        looks.append(call)
        watchdog.running_calls.clear()
        watchdog.running_calls[threading.get_ident()] = call

    def end(call, *args):
        raise Ended

    monkeypatch.setattr(watchdog.time, "sleep", sleep)
    monkeypatch.setattr(watchdog, "abort", end)
    try:
        watchdog.poll_calls(seconds)
    except Ended:
        return len(looks)
    except StopIteration:
        return None
    finally:
        watchdog.running_calls.clear()


class Next(watchdog.GuardedCall):
    """A call that goes from one environment to the next at each look."""

    @property
    def env_index(self):
        return next(self.indices)

    @env_index.setter
    def env_index(self, value):
        self.indices = iter(range(10_000))


def test_only_one_call_that_lasts_as_long_is_a_hanging_one(monkeypatch):
    call = watchdog.GuardedCall("here", "steps")
    assert watch_calls(monkeypatch, 60, [call] * 50) == POLLS + 1
    assert watch_calls(monkeypatch, 60, [call] * POLLS + [watchdog.GuardedCall("here", "steps")] * POLLS) is None
    assert watch_calls(monkeypatch, 60, [watchdog.GuardedCall("here", "steps") for _ in range(50)]) is None
    assert watch_calls(monkeypatch, 60, [Next("here", "steps")] * 50) is None


def test_who_looks_at_it_in_a_debugger_is_left_alone():
    inside, go = threading.Event(), threading.Event()

    class Person(io.StringIO):
        def readline(self, *size):
            inside.set()
            go.wait()
            return "continue\n"

    threads = [
        threading.Thread(target=lambda: pdb.Pdb(stdin=Person(), stdout=io.StringIO(), nosigint=True).set_trace()),
        threading.Thread(target=go.wait),
    ]
    for thread in threads:
        thread.start()
    inside.wait()
    debugged = [watchdog.is_debugged(thread.ident) for thread in threads]
    go.set()
    for thread in threads:
        thread.join()
    assert debugged == [True, False]


def test_nothing_watches_where_a_person_types_or_waits_for_ever(monkeypatch):
    started = []
    monkeypatch.setattr(watchdog, "watchers", [])
    monkeypatch.setattr(watchdog.threading.Thread, "start", lambda thread: started.append(thread))
    monkeypatch.setenv("CAUDEX_PATIENCE", "inf")
    watchdog.start_watchdog()
    monkeypatch.delenv("CAUDEX_PATIENCE")
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    watchdog.start_watchdog()
    assert started == []
    monkeypatch.delattr(sys, "ps1")
    watchdog.start_watchdog()
    assert len(started) == 1
    for given in ("soon", "0", "nan"):
        monkeypatch.setenv("CAUDEX_PATIENCE", given)
        with pytest.raises(CaudexError, match=f"CAUDEX_PATIENCE={given} is no time"):
            watchdog.start_watchdog()
