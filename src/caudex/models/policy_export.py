"""A policy as an ONNX file: what the environment returns goes in, the action that it takes comes out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from caudex.core.specs import EnvSpec
from caudex.envs.adapters.actions import box_bounds
from caudex.envs.adapters.native_spaces import NativeSpaces, leaf_spaces
from caudex.envs.adapters.spaces import Part, has_channels_first, observation_parts
from caudex.models.export import export_onnx


class ExportedPolicy(nn.Module):
    """The likeliest actions [N, ...] for observations of `native`, one input [N, ...] for each part of them, then the mask of actions
    where there is one; where frames are stacked, `state` and `episode_start`, and the next state as a second output."""

    def __init__(self, trunk: nn.Module, policy: nn.Module, spec: EnvSpec, native: NativeSpaces):
        super().__init__()
        self.trunk, self.policy, self.spec, self.action_space = trunk, policy, spec, native.action_space
        parts = list(zip(observation_parts(spec.env, native.space), leaf_spaces(native.space)))
        self.parts = [(part, space) for part, space in parts if part.kind != "text"]

    def example_inputs(self) -> dict[str, Tensor]:
        """Zeros [2, ...], by the names of the inputs."""
        inputs = {
            input_name(part): torch.from_numpy(np.zeros((2, *space.shape), space.dtype)) for part, space in self.parts
        }
        if self.spec.mask_size:
            inputs["action_mask"] = torch.ones(2, self.spec.mask_size, dtype=torch.int8)
        if self.spec.frame_stack > 1:
            inputs["state"] = torch.zeros(2, *self.spec.shape, dtype=torch.uint8)
            inputs["episode_start"] = torch.ones(2, dtype=torch.bool)
        return inputs

    def forward(self, inputs: list[Tensor]) -> Tensor | tuple[Tensor, Tensor]:
        converted = [convert(part, space, x) for (part, space), x in zip(self.parts, inputs)]
        vectors, images = (
            [x for (part, _), x in zip(self.parts, converted) if part.kind == kind] for kind in ("vector", "image")
        )
        rows = [*([torch.cat(vectors, 1)] if vectors else []), *images]
        if self.spec.mask_size:
            rows.append((inputs[len(self.parts)] != 0).to(torch.uint8))
        if self.spec.layout:
            return self.native_actions(self.policy.act(self.trunk.encode, rows))
        (observations,) = rows
        if self.spec.frame_stack == 1:
            return self.native_actions(self.policy.act(self.trunk, observations))
        *_, state, episode_start = inputs
        first = observations.repeat(1, self.spec.frame_stack, 1, 1)
        later = torch.cat([state[:, observations.shape[1] :], observations], 1)
        state = torch.where(episode_start.view(-1, 1, 1, 1), first, later)
        return self.native_actions(self.policy.act(self.trunk, state)), state

    def native_actions(self, actions: Tensor) -> Tensor:
        """Actions [N, ...] as the environment takes them; see `convert_actions`."""
        space, dtype = self.action_space, torch.from_numpy(np.zeros(0, self.action_space.dtype)).dtype
        if hasattr(space, "low"):
            low, high = (torch.from_numpy(bound) for bound in box_bounds(space))
            actions = actions.double().clamp(low, high)
            actions = actions if dtype.is_floating_point else actions.round()
        elif np.any(start := getattr(space, "start", 0)):
            return actions.view(-1, *space.shape).to(dtype) + torch.from_numpy(np.array(start, space.dtype))
        return actions.view(-1, *space.shape).to(dtype)


def input_name(part: Part) -> str:
    """`observation`, or `observation.camera.0` of a nested one."""
    return "observation" + re.sub(r"\['?(.*?)'?\]", r".\1", part.place)


def convert(part: Part, space: Any, x: Tensor) -> Tensor:
    """What `part.convert` does, of several observations: float32 [N, W], or an image uint8 [N, C, H, W]."""
    if part.kind == "image":
        x = x.unsqueeze(1) if x.ndim == 3 else x if has_channels_first(space.shape) else x.permute(0, 3, 1, 2)
        if space.dtype == bool:
            return x.to(torch.uint8) * 255
        if space.dtype == np.uint8:
            return x
        low, high = float(space.low.min()), float(space.high.max())
        return (255 * ((x.double() - low) / (high - low))).round().clamp(0, 255).to(torch.uint8)
    if hasattr(space, "nvec"):
        numbers = (x - torch.from_numpy(space.start)).flatten(1).long().unbind(1)
        return torch.cat([F.one_hot(number, int(n)) for number, n in zip(numbers, space.nvec.flat)], 1).float()
    if hasattr(space, "start"):
        return F.one_hot(x.long() - int(space.start), int(space.n)).float()
    return x.reshape(-1, part.shape[0]).float()


def export_policy(trunk: nn.Module, policy: nn.Module, spec: EnvSpec, native: NativeSpaces, folder: Path) -> list[Path]:
    """model.onnx, whose metadata say the environment, and the shape of `state` where there is one."""
    module = ExportedPolicy(trunk, policy, spec, native)
    outputs: Sequence[str] = ("action", "next_state") if spec.frame_stack > 1 else ("action",)
    metadata = {"environment": str(spec.env), "state": list(spec.shape) if spec.frame_stack > 1 else None}
    return [export_onnx(module, module.example_inputs(), outputs, folder, metadata)]
