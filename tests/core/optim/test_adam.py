"""Adam is torch's."""

from copy import deepcopy

import torch
from helpers.parameters import parameter, step_with_gradients

from caudex.core.optim.adam import Adam


def test_adam_is_torchs_also_where_a_gradient_is_missing_and_after_a_save():
    one, other = ([parameter([3.0, 4.0]), parameter(1.0), parameter(2.0)] for _ in range(2))
    groups = [{"params": one[:1], "weight_decay": 0.0}, {"params": one[1:2]}, {"params": one[2:], "weight_decay": 0.1}]
    their_groups = [{**group, "params": other[i : i + 1]} for i, group in enumerate(groups)]
    ours, theirs = Adam(groups, lr=0.1), torch.optim.Adam(their_groups, lr=0.1, fused=True)
    assert len(ours.param_groups) == 2
    for bias in ([1.0], None, [-3.0], [2.0]):
        for optimizer in (ours, theirs):
            step_with_gradients(optimizer, matrix=[[0.5, -2.0]], bias=bias, decaying=[0.3])
        assert all(torch.equal(a, b) for a, b in zip(one, other))
        state, ours = deepcopy(ours.state_dict()), Adam(groups, lr=0.1)
        ours.load_state_dict(state)
    assert ours.state[one[1]]["step"] == 3
