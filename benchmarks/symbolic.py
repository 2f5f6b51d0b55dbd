"""Pairs of integrand and antiderivative per second of processor time, beside the plain SymPy way; writes results/symbolic-pairs.csv.

Both draw the same random trees, differentiate them, write prefix tokens and leave duplicates and long ones out. SymPy simplifies
by what it does on construction alone, which is its quickest. Five turns each, alternating, in one process.

    python benchmarks/symbolic.py         # about two minutes
"""

import csv
import random
import time
from collections.abc import Iterator
from pathlib import Path

from caudex.core.errors import CaudexError
from caudex.data.expressions.generators import PairSettings, generate_pairs
from caudex.data.expressions.random_trees import sample_tree
from caudex.data.expressions.sympy_bridge import from_sympy, import_sympy, to_sympy
from caudex.data.expressions.trees import contains_variable, to_prefix

SECONDS, TURNS = 10, 5
SETTINGS = PairSettings()


def sympy_pairs(seed: int) -> Iterator[tuple[str, str]]:
    sympy, generator, seen = import_sympy(), random.Random(seed), set()
    x = sympy.Symbol("x")
    while True:
        tree = sample_tree(generator, generator.randint(1, SETTINGS.max_operators), SETTINGS.max_integer)
        if not contains_variable(tree):
            continue
        try:
            antiderivative = to_sympy(tree)
            pair = [to_prefix(from_sympy(part)) for part in (sympy.diff(antiderivative, x), antiderivative)]
        except (CaudexError, ZeroDivisionError):
            continue
        if max(map(len, pair)) <= SETTINGS.max_tokens and "x" in pair[0] and tuple(pair[0]) not in seen:
            seen.add(tuple(pair[0]))
            yield tuple(" ".join(tokens) for tokens in pair)


def our_pairs(seed: int) -> Iterator[tuple[str, str]]:
    for pair in generate_pairs("bwd", "train", seed, SETTINGS):
        yield tuple(" ".join(to_prefix(part)) for part in pair)


def pairs_a_second(pairs: Iterator) -> float:
    next(pairs)  # imports
    start, count = time.process_time(), 0
    while time.process_time() - start < SECONDS:
        next(pairs)
        count += 1
    return count / (time.process_time() - start)


def main() -> None:
    rows = []
    for turn in range(TURNS):
        ours, peer = pairs_a_second(our_pairs(turn)), pairs_a_second(sympy_pairs(turn))
        rows.append({"turn": turn, "caudex": round(ours), "sympy": round(peer), "ratio": round(ours / peer, 1)})
        print(rows[-1], flush=True)
    with Path("results/symbolic-pairs.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
