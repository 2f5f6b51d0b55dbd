"""Maxima, a computer algebra system in a program of its own (Debian: maxima and maxima-share)."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile

from caudex.core.errors import CaudexError
from caudex.data.expressions.parsing import parse_expression
from caudex.data.expressions.printing import to_infix
from caudex.data.expressions.trees import Expression

MAX_ANSWER = 20_000
"""characters"""


def has_maxima() -> bool:
    return shutil.which("maxima") is not None


def integrate_by_maxima(integrand: Expression) -> list[Expression]:
    """What Maxima gives as antiderivative, if our expressions have it; call it in a process that can be killed.

    Maxima gets what `to_infix` wrote of our tree, never a text of the user's.
    """
    if not has_maxima():
        raise CaudexError("the program maxima is missing: apt-get install maxima maxima-share.")
    text = re.sub(r"\b(e|pi)\b", r"%\1", to_infix(integrand, "^")).replace("ln(", "log(")
    commands = f'display2d:false$ linel:100000$ print("ANSWER", string(integrate({text}, x)))$'
    with tempfile.TemporaryDirectory() as folder:  # no settings of the user's
        process = subprocess.run(
            ["maxima", "--very-quiet", f"--userdir={folder}", f"--batch-string={commands}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=folder, check=False, errors="replace",
        )  # fmt: skip
    answers = re.findall(r"^ANSWER (.*)$", process.stdout, re.MULTILINE)
    if not answers or "integrate" in answers[-1]:
        return []
    return [parse_expression(re.sub(r"%(e|pi)\b", r"\1", answers[-1]).strip(), MAX_ANSWER)]
