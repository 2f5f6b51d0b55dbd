"""The command line, called in this process."""

import contextlib
import io
import sys
from pathlib import Path
from typing import NamedTuple

from caudex.cli import main as cli

CAUDEX = [sys.executable, "-m", "caudex"]


class Output(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def run(self) -> Path:
        """The last line of standard output."""
        return Path(self.out.splitlines()[-1])


def invoke(*words) -> Output:
    """What the command line says, and its exit code, without a process of its own."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(word) for word in words])
        except SystemExit as end:
            code = end.code
    return Output(code, out.getvalue(), err.getvalue())


def run_cli(*words) -> Output:
    output = invoke(*words)
    assert output.code == 0, output.err
    return output


def assert_refused(*words, because: str) -> str:
    """One line on standard error that has these words, exit code 2, and nothing written."""
    before = folder_contents()
    output = invoke(*words)
    assert (output.code, output.out) == (2, ""), output
    assert output.err.startswith("caudex: ")
    assert output.err.count("\n") == 1, output.err
    assert because in output.err
    assert "Traceback" not in output.err
    assert folder_contents() == before
    return output.err


def folder_contents() -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in Path().rglob("*")}


def model_bytes(run) -> bytes:
    return (Path(run) / "model.safetensors").read_bytes()
