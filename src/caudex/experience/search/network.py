"""The network as a search asks it."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

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
