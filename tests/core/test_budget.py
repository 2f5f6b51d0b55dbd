"""The part of a budget that is used up first counts."""

from caudex.core.budget import Budget


def test_the_budget_that_is_used_up_first_counts():
    budget = Budget(steps=100, minutes=2, flops=1e6, samples=1000)
    assert budget.used(steps=50, seconds=6, flops=1e5, samples=0) == 0.5
    assert budget.used(steps=1, seconds=90, flops=1e5, samples=0) == 0.75
    assert budget.used(steps=1, seconds=6, flops=9e5, samples=0) == 0.9
    assert budget.used(steps=1, seconds=6, flops=1e5, samples=990) == 0.99
    assert budget.used(steps=101, seconds=6, flops=1e5, samples=0) == 1
    assert Budget(steps=3).used(steps=0, seconds=1e9, flops=1e9, samples=0) == 0
