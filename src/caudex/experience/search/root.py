"""What is done at the root alone: noise on its priors, and sequential halving."""

from __future__ import annotations

import math

import numpy as np

from caudex.experience.search.tree import Tree

MAX_CONSIDERED = 16
"""actions of sequential halving (Danihelka et al. 2022, section 6)"""


def add_root_noise(tree: Tree, fraction: float, alpha: float, generator: np.random.Generator) -> None:
    """Mix Dirichlet noise into the priors of the roots; of K legal actions its concentration is `alpha` / K."""
    for game, priors in enumerate(tree.priors[:, 0]):
        legal = np.flatnonzero(priors)
        if len(legal) > 1:
            noise = generator.dirichlet(np.full(len(legal), alpha / len(legal)))
            tree.priors[game, 0, legal] = (1 - fraction) * priors[legal] + fraction * noise


def halving_phases(simulations: int, considered: int) -> list[tuple[int, int]]:
    """(actions considered, simulations of each) of each phase: half as many actions in each, about as many simulations in all of them;
    in the end two."""
    phases, left = [], simulations
    per_phase = simulations / max(1, math.ceil(math.log2(considered)))
    while considered > 2 and left >= considered:
        each = min(max(1, int(per_phase / considered)), left // considered)
        phases.append((considered, each))
        left -= considered * each
        considered = max(2, considered // 2)
    phases += [(2, left // 2), (1, left % 2)]
    return [(count, each) for count, each in phases if each]
