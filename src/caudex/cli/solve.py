"""The command solve: an antiderivative, verified, or none."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from caudex.cli.commands import SolveFlags
from caudex.cli.flags import parse_flags
from caudex.core.errors import CaudexError, counted
from caudex.core.ranges import check_range

MAX_FILE = 1 << 20
"""bytes of a file of problems"""


def solve_command(words: Sequence[str]) -> None:
    flags = parse_flags(SolveFlags, words, "solve")
    check_range(flags, seconds=(0.1, 3600))
    if (flags.problem == "") == (flags.all is None):
        raise CaudexError('give one integrand in quotes, such as caudex solve "x*cos(x**2)", or --all problems.txt.')
    from caudex.data.expressions.normal_form import simplify
    from caudex.data.expressions.parsing import parse_expression
    from caudex.data.expressions.sympy_bridge import import_sympy
    from caudex.models.solvers.maxima import has_maxima
    from caudex.models.solvers.portfolio import SOLVERS, Portfolio

    import_sympy()
    solvers = {name: solver for name, solver in SOLVERS.items() if name != "maxima" or has_maxima()}
    if len(solvers) < len(SOLVERS):
        print("caudex: solves without Maxima; apt-get install maxima maxima-share adds it.", file=sys.stderr)
    with Portfolio(solvers) as portfolio:
        if flags.all is None:
            integrand = parse_expression(flags.problem)
            simplify(integrand)  # refuses 1/(x-x)
            print_solution(flags.problem, portfolio.solve(integrand, flags.seconds), flags.json)
            return
        statuses = []
        for problem in read_problems(flags):
            try:
                solution = portfolio.solve(parse_expression(problem), flags.seconds)
            except CaudexError as error:
                statuses.append("not read")
                print(json.dumps({"problem": problem, "error": str(error)}) if flags.json else f"{problem}: {error}")
                continue
            statuses.append(solution.status)
            print_solution(problem, solution, flags.json)
    if not flags.json:
        counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
        print(f"{counted(len(statuses), 'problem')}: {counts}")


def read_problems(flags: SolveFlags) -> list[str]:
    """The lines of the file that are not empty."""
    with flags.all.open("rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise CaudexError(f"--all {flags.all} has over {MAX_FILE >> 20} MB; split it.")
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise CaudexError(f"--all {flags.all} is not UTF-8; save it so.") from None
    problems = [line.strip() for line in lines if line.strip()]
    if not problems:
        raise CaudexError(f"--all {flags.all} has no problem; write one integrand a line.")
    return problems


def print_solution(problem: str, solution, as_json: bool) -> None:
    from caudex.data.expressions.printing import to_infix, to_latex

    found_one = solution.answer is not None
    infix, latex = (to_infix(solution.answer), to_latex(solution.answer)) if found_one else (None, None)
    if as_json:
        row = {
            "problem": problem,
            "answer": infix,
            "latex": latex,
            "status": solution.status,
            "solver": solution.solver,
        }
        print(json.dumps(row | {"seconds": solution.seconds, "failures": solution.failures}), flush=True)
        return
    answer = latex if "\\" in problem else infix
    tries = [f"{name} {solution.seconds[name]:.1f} s: {reason}" for name, reason in solution.failures.items()]
    print(
        f"{answer} + C   ({solution.status}, by {solution.solver})"
        if found_one
        else f"{problem}: not found ({'; '.join(tries)})",
        flush=True,
    )
