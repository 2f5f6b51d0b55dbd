"""Several solvers, one after the other within one limit of time; what is not verified is no answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from caudex.core.errors import CaudexError
from caudex.core.killable import CallFailed, KillableWorker
from caudex.data.expressions.normal_form import simplify
from caudex.data.expressions.sympy_bridge import integrate_by_sympy
from caudex.data.expressions.trees import Expression
from caudex.models.solvers.maxima import integrate_by_maxima
from caudex.models.solvers.verification import numerically_verified, verify_symbolically

Solver = Callable[[Expression], list[Expression]]
"""candidates of an antiderivative; runs in a process that can be killed"""
SOLVERS: dict[str, Solver] = {"maxima": integrate_by_maxima, "sympy": integrate_by_sympy}
"""in the order in which they are asked, the quicker first"""
VERIFIED, NUMERICALLY_VERIFIED, NOT_FOUND = "verified", "numerically verified", "not found"
PROOF_SHARE = 0.25
"""of what time is left, for the symbolic check once the numbers agree"""


class Solution(NamedTuple):
    """`answer` is None where the status is "not found"; `seconds` by solver, `failures` why it gave none."""

    answer: Expression | None
    status: str
    solver: str
    seconds: dict[str, float]
    failures: dict[str, str]


class Portfolio:
    """`solvers` are asked in their order, each for its share of the time that is left, until an answer is verified."""

    def __init__(self, solvers: dict[str, Solver] | None = None):
        self.solvers, self.worker = solvers or SOLVERS, KillableWorker()

    def solve(self, integrand: Expression, seconds: float) -> Solution:
        """An antiderivative of the integrand, or "not found", in so many seconds and the start of a process for each solver."""
        times: dict[str, float] = {}
        failures: dict[str, str] = {}
        self.left = seconds
        for i, (name, solver) in enumerate(self.solvers.items()):
            before = self.left
            try:
                answers = self._call(solver, integrand, share=(1 - PROOF_SHARE) / (len(self.solvers) - i))
                solution = self._check(integrand, answers)
                failures[name] = "its answer did not pass the check" if answers else "no answer in our functions"
            except (CallFailed, CaudexError) as error:
                solution, failures[name] = None, str(error)
            times[name] = round(before - self.left, 3)
            if solution:
                del failures[name]
                return Solution(*solution, name, times, failures)
        return Solution(None, NOT_FOUND, "", times, failures)

    def _call(self, function: Callable, *arguments, share: float = 1.0):
        """The call for its share of the time that is left."""
        try:
            return self.worker.call(function, *arguments, seconds=max(0.01, self.left * share))
        finally:
            self.left -= self.worker.seconds_used

    def _check(self, integrand: Expression, answers: Sequence[Expression]) -> tuple[Expression, str] | None:
        """The first answer that is verified, and how."""
        for answer in answers:
            for candidate in (self._call(simplify, answer), answer):
                if self._call(numerically_verified, integrand, candidate):
                    try:
                        proven = self._call(verify_symbolically, integrand, candidate, share=PROOF_SHARE)
                    except (CallFailed, CaudexError):
                        proven = False
                    return candidate, VERIFIED if proven else NUMERICALLY_VERIFIED
        return None

    def close(self) -> None:
        self.worker.close()

    def __enter__(self) -> Portfolio:
        return self

    def __exit__(self, *_) -> None:
        self.close()
