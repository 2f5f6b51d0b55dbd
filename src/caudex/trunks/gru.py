"""A gated recurrent unit whose backward pass takes less time on a processor than torch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TORCH_KERNEL_SIZE = 8192
"""hidden units of a batch (B * H) from which torch's own backward pass is used: its kernels are then worth the cost of a call"""


class GRU(nn.GRU):
    """A GRU with `width` hidden units (Cho et al. 2014): [B, T, inputs] to [B, T, width], and the state."""

    def __init__(self, inputs: int, width: int):
        super().__init__(inputs, width, batch_first=True)
        for name, weight in self.named_parameters():
            nn.init.orthogonal_(weight) if name.startswith("weight") else nn.init.zeros_(weight)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if torch.is_autocast_enabled(x.device.type):  # the state adds up over many steps: not in 16 bits
            with torch.autocast(x.device.type, enabled=False):
                return self.forward(x.to(self.weight_hh_l0.dtype), state)
        large = len(x) * self.hidden_size >= TORCH_KERNEL_SIZE or x.device.type != "cpu"
        if state is not None or large or not torch.is_grad_enabled():
            return super().forward(x, state)
        outputs = GRUFunction.apply(x.transpose(0, 1), self.initial_state(len(x)), *self.all_weights[0]).transpose(0, 1)
        return outputs, outputs[:, -1:].transpose(0, 1)

    def initial_state(self, batch: int) -> Tensor:
        return self.weight_hh_l0.new_zeros(1, batch, self.hidden_size)

    def select_rows(self, state: Tensor, rows: Tensor) -> Tensor:
        return state[:, rows]

    def flops(self, length: int) -> float:
        return 6.0 * length * self.hidden_size * (self.input_size + self.hidden_size)


class GRUFunction(torch.autograd.Function):
    """torch's GRU over [T, B, inputs] from the state [1, B, H], which gets no gradient: [T, B, H].

    torch's backward pass calls a dozen kernels a step, each of which costs more than what it computes. Here the gates are
    computed again, for all steps at once, and three kernels a step do what must wait for the next step.
    """

    @staticmethod
    def forward(ctx, x: Tensor, initial_state: Tensor, *weights: Tensor) -> Tensor:
        outputs, _ = torch.gru(x, initial_state, weights, True, 1, 0.0, False, False, False)
        ctx.save_for_backward(x, initial_state, outputs, *weights)
        return outputs

    @staticmethod
    def backward(ctx, grad_outputs: Tensor):
        x, initial_state, outputs, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient's gradient is wanted, as by trpo
            outputs, _ = torch.gru(x, initial_state, weights, True, 1, 0.0, False, False, False)
            inputs = [tensor for tensor in (x, *weights) if tensor.requires_grad]
            grads = iter(torch.autograd.grad(outputs, inputs, grad_outputs, create_graph=True))
            grad_x, *grad_weights = (next(grads) if tensor.requires_grad else None for tensor in (x, *weights))
            return grad_x, None, *grad_weights
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        (time, batch, width), previous = outputs.shape, torch.cat([initial_state, outputs[:-1]])
        gates_x, gates_h = F.linear(x, weight_ih, bias_ih), F.linear(previous, weight_hh, bias_hh)  # [T, B, 3 H]
        reset, update = gates_x[..., : 2 * width].add_(gates_h[..., : 2 * width]).sigmoid_().split(width, -1)
        new, new_h = gates_x[..., 2 * width :], gates_h[..., 2 * width :]
        new.addcmul_(reset, new_h).tanh_()
        share = 1 - update  # of `new` in the output
        slope = torch.addcmul(share, share * new, new, value=-1)  # of the output by the argument of tanh

        grad_gates = slope.new_empty(time, batch, 3, width)  # first of the output by `gates_h`, then of the loss
        torch.mul(slope, reset, out=grad_gates[:, :, 2])
        torch.mul(grad_gates[:, :, 2] * new_h, 1 - reset, out=grad_gates[:, :, 0])
        torch.mul((previous - new).mul_(update), share, out=grad_gates[:, :, 1])
        # of the loss by each output: from above, and back from the next step
        grad = grad_outputs.clone(memory_format=torch.contiguous_format)
        flat = grad_gates.view(time, batch, 3 * width)
        steps = list(zip(grad.unbind(), grad_gates.unbind(), flat.unbind(), update.unbind()))
        for previous_step, (step_grad, step_gates, step_flat, step_update) in zip(
            [*steps[-2::-1], None], reversed(steps)
        ):
            step_gates.mul_(step_grad.unsqueeze(1))
            if previous_step:
                previous_step[0].addcmul_(step_grad, step_update).addmm_(step_flat, weight_hh)

        flat = flat.flatten(0, 1)
        grad_weight_hh, grad_bias_hh = flat.T @ previous.flatten(0, 1), flat.sum(0)
        torch.mul(
            grad, slope, out=grad_gates[:, :, 2]
        )  # the gradients by `gates_x` differ from those by `gates_h` here alone
        grad_x = (flat @ weight_ih).view(x.shape) if ctx.needs_input_grad[0] else None
        return grad_x, None, flat.T @ x.flatten(0, 1), grad_weight_hh, flat.sum(0), grad_bias_hh
