"""The network as a search asks it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from caudex.envs.boards.game import Symmetry
from caudex.experience.search.search import Evaluate


def network_evaluation(trunk: nn.Module, signals: nn.ModuleDict) -> Evaluate:
    """Logits and values of planes by the signals `search-policy` and `game-value` on the trunk, all of which are in eval mode."""
    policy, value = signals["search-policy"], signals["game-value"]
    device = next(trunk.parameters()).device

    @torch.inference_mode()
    def evaluate(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features = trunk(torch.from_numpy(planes).to(device))
        return policy.logits(features).float().cpu().numpy(), value.value(features).float().cpu().numpy()

    return evaluate


def in_random_symmetry(evaluate: Evaluate, symmetries: Sequence[Symmetry], rng: np.random.Generator) -> Evaluate:
    """Each position is evaluated in one of the game's symmetries, drawn for it, so that errors of the network average out over a tree
    (Silver et al. 2017, "Search algorithm")."""
    actions = np.stack([symmetry.actions for symmetry in symmetries])

    def evaluate_transformed(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        drawn, planes = rng.integers(0, len(symmetries), len(planes)), planes.copy()
        for number, symmetry in enumerate(symmetries):
            planes[drawn == number] = symmetry.transform(planes[drawn == number])
        logits, values = evaluate(planes)
        return np.take_along_axis(logits, actions[drawn], 1), values

    return evaluate_transformed
