"""One piece tells how far anything long is: nothing for two seconds, then a bar, or lines where nobody watches."""

import io
import sys

import pytest

from caudex.core import progress
from caudex.core.progress import ProgressBar, track


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    seconds = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


def test_lines_come_every_half_minute_and_tell_the_time_left(clock, capsys):
    with ProgressBar("tokenising", 400) as shown:
        for clock[0] in (1, 29, 31, 45):
            shown.advance(25, lambda: "so far")
    assert capsys.readouterr().err == "tokenising: so far, 19%, 134 s left\n"  # 75 of 400 in 31 s: 325 / 75 * 31


def test_a_line_has_eighty_columns_and_leaves_the_last_parts_out(clock, capsys):
    note = "return 187.3, length 187, 63,488 env steps, 12,345/s, loss policy 0.123, contrast 4.158"
    with ProgressBar("training") as shown:
        clock[0] = 31
        shown.update(0.5, lambda: note)
    line = "training: return 187.3, length 187, 63,488 env steps, 12,345/s, 50%, 31 s left\n"
    assert (capsys.readouterr().err, len(line) <= 81) == (line, True)


def test_what_was_done_at_another_time_tells_nothing_of_the_time_left(clock, capsys):
    with ProgressBar("training") as shown:
        shown.resume_from(0.75)
        clock[0] = 31
        shown.update(0.8)
    assert capsys.readouterr().err == "training: 80%, 124 s left\n"  # 0.05 took 31 s, 0.2 are left


def test_few_long_parts_have_a_line_each_and_what_is_silent_has_none(clock, capsys):
    assert list(track("ab", "measuring", 2, slow=True)) == ["a", "b"]
    assert capsys.readouterr().err == "measuring: 1 of 2, 50%, 0 s left\nmeasuring: 2 of 2, 100%, 0 s left\n"
    assert list(track("ab", "measuring", 2, slow=True, silent=True)) == ["a", "b"]
    assert capsys.readouterr().err == ""


def test_a_terminal_has_a_bar_after_two_seconds(clock, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with ProgressBar("reading", 4) as shown:
        clock[0] = 1.9
        shown.advance(1)
        assert shown.bar is None
        clock[0] = 2.2
        shown.advance(1, lambda: "2 of 4")
        assert shown.bar.tasks[0].percentage == 50 and shown.bar.tasks[0].fields["note"] == "2 of 4"
    assert "reading" in sys.stderr.getvalue() and "50%" in sys.stderr.getvalue()
