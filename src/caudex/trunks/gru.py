"""A memory of some numbers, and what it learns by, on a processor in less time than torch takes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LARGE = 8192
"""numbers remembered by a batch, from which on the kernels of a step are worth what it costs to call them"""


class GRU(nn.GRU):
    """Remembers `width` numbers (Cho et al. 2014), whatever happens: [B, T, inputs] to [B, T, width], and the state."""

    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width, batch_first=True)
        for name, weight in self.named_parameters():
            nn.init.orthogonal_(weight) if name.startswith("weight") else nn.init.zeros_(weight)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        large = len(x) * self.hidden_size >= LARGE or x.device.type != "cpu"
        if state is not None or large or not torch.is_grad_enabled():
            return super().forward(x, state)
        passed = Whole.apply(x.transpose(0, 1), self.memory(len(x)), *self.all_weights[0]).transpose(0, 1)
        return passed, passed[:, -1:].transpose(0, 1)

    def memory(self, batch: int) -> Tensor:
        return self.weight_hh_l0.new_zeros(1, batch, self.hidden_size)

    def kept(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[:, rows]

    def flops(self, length: int) -> float:
        return 6.0 * length * self.hidden_size * (self.input_size + self.hidden_size)


class Whole(torch.autograd.Function):
    """torch's GRU over [T, B, inputs] from the memory [1, B, H], which learns nothing: [T, B, H].

    torch goes back through a dozen kernels a step, each of which costs more than what it computes. Here the gates are
    computed anew, of all steps at once, and three kernels a step do what must wait for the step after.
    """

    @staticmethod
    def forward(ctx, x: Tensor, begin: Tensor, *weights: Tensor) -> Tensor:
        passed, _ = torch.gru(x, begin, weights, True, 1, 0.0, False, False, False)
        ctx.save_for_backward(x, begin, passed, *weights)
        return passed

    @staticmethod
    def backward(ctx, told: Tensor):
        x, begin, passed, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # someone asks for the gradient's gradient, as trpo does
            again, _ = torch.gru(x, begin, weights, True, 1, 0.0, False, False, False)
            inputs = [each for each in (x, *weights) if each.requires_grad]
            found = iter(torch.autograd.grad(again, inputs, told, create_graph=True))
            first, *rest = (next(found) if each.requires_grad else None for each in (x, *weights))
            return first, None, *rest
        inner, hidden, inner_bias, hidden_bias = weights
        (time, batch, width), before = passed.shape, torch.cat([begin, passed[:-1]])
        seen, known = F.linear(x, inner, inner_bias), F.linear(before, hidden, hidden_bias)  # [T, B, 3 H]
        reset, keep = seen[..., : 2 * width].add_(known[..., : 2 * width]).sigmoid_().split(width, -1)
        new, old = seen[..., 2 * width :], known[..., 2 * width :]
        new.addcmul_(reset, old).tanh_()
        fresh = 1 - keep
        slope = torch.addcmul(fresh, fresh * new, new, value=-1)  # of `passed` by what stands within the tanh

        moved = slope.new_empty(time, batch, 3, width)  # of `passed` by `known`, then of the loss
        torch.mul(slope, reset, out=moved[:, :, 2])
        torch.mul(moved[:, :, 2] * old, 1 - reset, out=moved[:, :, 0])
        torch.mul((before - new).mul_(keep), fresh, out=moved[:, :, 1])
        # of the loss by `passed`: what is told of it, and what comes back from the step after
        whole = told.clone(memory_format=torch.contiguous_format)
        flat = moved.view(time, batch, 3 * width)
        steps = list(zip(whole.unbind(), moved.unbind(), flat.unbind(), keep.unbind()))
        for here, (above, by_known, by_flat, kept) in zip([*steps[-2::-1], None], reversed(steps)):
            by_known.mul_(above.unsqueeze(1))
            if here:
                here[0].addcmul_(above, kept).addmm_(by_flat, hidden)

        flat = flat.flatten(0, 1)
        by_hidden, by_hidden_bias = flat.T @ before.flatten(0, 1), flat.sum(0)
        torch.mul(whole, slope, out=moved[:, :, 2])  # by `seen` it differs here alone
        by_x = (flat @ inner).view(x.shape) if ctx.needs_input_grad[0] else None
        return by_x, None, flat.T @ x.flatten(0, 1), by_hidden, flat.sum(0), by_hidden_bias
