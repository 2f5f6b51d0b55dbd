"""The command line: the name of the command is looked up first, then one dataclass is parsed, so that help is fast."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence

from caudex.cli.commands import COMMANDS
from caudex.cli.terminal import OutputError, OutputStream, exit_with_message
from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean

FUNCTIONS = {
    "list": "listing:list_command",
    "train": "train:train_command",
    "labels-saved": "train:labels_saved_command",
    "probe": "train:probe_command",
    "claim": "train:claim_command",
    "resume": "train:resume_command",
    "predict": "predict:predict_command",
    "embed": "embed:embed_command",
    "advise": "advise:advise_command",
    "doctor": "doctor:doctor_command",
    "suggest": "queues:suggest_command",
    "audit": "queues:audit_command",
    "label": "label:label_command",
    "meta-test": "envs:meta_test_command",
    "play": "envs:play_command",
    "serve": "serve:serve_command",
    "render": "render:render_command",
    "generate": "texts:generate_command",
    "fill": "texts:fill_command",
    "ask": "ask:ask_command",
    "import": "texts:import_command",
    "search": "texts:search_command",
    "solve": "solve:solve_command",
    "report": "runs:report_command",
    "compare": "runs:compare_command",
    "export": "runs:export_command",
}
"""the function of each command, MODULE:NAME in this folder; it gets the words behind the command"""
TRAINING = ("train", "labels-saved", "probe", "claim")
"""commands whose flags say how large networks and batches are"""


def main(argv: Sequence[str] | None = None) -> None:
    """Exit code 0; 2 for what the user can mend, with one line on standard error; 1 where `resume` asks for --trust, or
    standard output cannot be written; 130 after Ctrl-C. An environment that hangs ends the process with 1."""
    words = list(sys.argv[1:] if argv is None else argv)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # it warns of what is meant so
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115 - closed: print() would take standard output
    if sys.stdout is None:
        exit_with_message(1, "standard output is closed; give it a file, or > /dev/null.")
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a file name that the terminal cannot show must not stop anything
    try:
        with contextlib.redirect_stdout(OutputStream(sys.stdout)):
            with suppress_success():
                run_command(words)
            sys.stdout.flush()
    except CaudexError as error:
        exit_with_message(2, str(error))
    except KeyboardInterrupt as interrupt:
        exit_with_message(130, str(interrupt) or "stopped.")
    except BrokenPipeError:  # whoever read our output has enough
        raise SystemExit(0) from None
    except OutputError as error:
        exit_with_message(1, str(error))
    except OSError as error:
        if error.filename is None:
            raise
        exit_with_message(2, f"{error.filename}: {error.strerror}.")
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not re.search("out of memory|can't allocate memory", str(error)):
            raise
        exit_with_message(2, memory_advice(words))


def memory_advice(words: Sequence[str]) -> str:
    """What to say where memory was not enough for the command."""
    run = next((word for word in words[1:] if not word.startswith("-") and os.path.isdir(word)), "")  # noqa: PTH112
    if run and words[0] not in TRAINING:
        return f"the model in {run} asks for more memory than there is; restore the run, or take a larger machine."
    return "there is not enough memory; try a smaller --batch, --width, --hidden or --size, where the system has them."


def run_command(words: Sequence[str]) -> None:
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage())
    elif words[0] in ("-V", "--version"):
        from caudex import __version__

        print(f"caudex {__version__}")
    elif words[0] not in COMMANDS:
        raise CaudexError(
            f"{words[0]!r} is not a command.{did_you_mean(words[0], COMMANDS)} Commands: {', '.join(COMMANDS)}."
        )
    else:
        command_function(words[0])(words[1:])


@contextlib.contextmanager
def suppress_success() -> Iterator[None]:
    """The end of a help is no end of `main`, which has still to write what was printed."""
    try:
        yield
    except SystemExit as end:
        if end.code:
            raise


def command_function(command: str) -> Callable[[Sequence[str]], None]:
    module, _, name = FUNCTIONS[command].partition(":")
    return getattr(importlib.import_module(f"caudex.cli.{module}"), name)


def usage() -> str:
    lines = "\n".join(f"  {name:12} {summary}" for name, summary in COMMANDS.items())
    return (
        "caudex: one trunk, many heads.\n"
        "Learn from few labels, and from every signal that costs none.\n\n"
        f"usage: caudex COMMAND ...\n\n{lines}\n\n"
        "Begin with the digits that come with it, then with images of your own, in\n"
        "photos/labelled/CLASS/ and photos/unlabelled/:\n"
        "  caudex train noisy-student\n"
        "  caudex train noisy-student --data photos/\n"
        "  caudex predict RUN new/*.jpg\n\n"
        "`caudex train SYSTEM --help` explains every setting."
    )
