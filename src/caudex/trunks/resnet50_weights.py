"""ResNet-50's weights in torchvision's layout, as most published checkpoints have them, in a `ResNet50` of ours."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from caudex.core.errors import CaudexError
from caudex.core.public_weights import files_sha256, read_tensors
from caudex.trunks.preprocessor import IMAGENET_MEAN, IMAGENET_STD
from caudex.trunks.resnet50 import ResNet50

BRANCH = {0: "conv1", 1: "bn1", 3: "conv2", 4: "bn2", 6: "conv3", 7: "bn3"}
"""of each layer of our `Bottleneck.branch`, the name in torchvision"""


@torch.no_grad()
def load_resnet50_weights(trunk: ResNet50, file: Path) -> str:
    """Put the file's weights, and ImageNet's mean and deviation, into the trunk; returns the file's SHA-256.

    `file` is .safetensors, or a pickle of tensors alone (.pth), of which no code is run. Its stride is in the 3x3 convolutions
    (torchvision's, "v1.5"). The classifier `fc` is left out. Raises CaudexError, which names the first key that does not fit,
    for the weights of another network; `trunk` is then as it was.
    """
    if not file.is_file():
        raise CaudexError(f"there is no file {file}; give a .safetensors or .pth of torchvision's ResNet-50.")
    weights = read_tensors(file, is_safetensors=file.suffix == ".safetensors")
    own = {torchvision_name(name): tensor for name, tensor in trunk.state_dict().items() if "standardise" not in name}
    for key in [*weights, *own]:
        if key.startswith("fc.") or (
            key in own and key.endswith("num_batches_tracked")
        ):  # the oldest files lack the counts
            continue
        shapes = [tuple(part[key].shape) if key in part else None for part in (weights, own)]
        if shapes[0] != shapes[1]:
            place = (
                "is missing"
                if key not in weights
                else "has no place"
                if key not in own
                else f"is {shapes[0]} and not {shapes[1]}"
            )
            raise CaudexError(
                f"{file} is not of torchvision's ResNet-50: {key} {place}; give the weights of that network."
            )
    for key, tensor in own.items():
        if key in weights:
            tensor.copy_(weights[key])
    trunk.standardise.mean.copy_(torch.tensor(IMAGENET_MEAN).view(3, 1, 1))
    trunk.standardise.std.copy_(torch.tensor(IMAGENET_STD).view(3, 1, 1))
    return files_sha256([file])


def torchvision_name(name: str) -> str:
    """Of a tensor of our `ResNet50`: stages.0.1.branch.3.weight is layer1.1.conv2.weight there."""
    name = re.sub(r"^stem\.0", "conv1", re.sub(r"^stem\.1", "bn1", name))
    name = re.sub(r"^stages\.(\d+)", lambda match: f"layer{int(match[1]) + 1}", name).replace(
        ".shortcut.", ".downsample."
    )
    return re.sub(r"branch\.(\d)", lambda match: BRANCH[int(match[1])], name)
