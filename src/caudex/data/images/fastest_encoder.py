"""A frozen encoder by onnxruntime, which needs a fifth of torch's time for EfficientNet-Lite0 on a processor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from caudex.core.disk import write_atomically
from caudex.core.errors import short_message
from caudex.core.onnx import TakesList, can_export, can_run_onnx, onnx_bytes, run_onnx
from caudex.trunks import FrozenEncoder

MIN_IMAGES = 400
"""of fewer the export, some ten seconds, takes longer than it saves"""
TOLERANCE = 1e-3
"""of the largest feature; features are kept in float16, which rounds by half of it"""
BATCH = 8
"""images at once; more are no faster, and 32 of 224 pixels take half a gigabyte"""


def fastest_encoder(encoder: nn.Module, shape: tuple[int, ...], folder: Path, count: int) -> Callable[[Tensor], Tensor]:
    """What turns images uint8 [B, *shape] into the encoder's features soonest: the encoder, or its form in ONNX.

    That stands in `folder`, so that an encoding that was interrupted goes on by the same; it is made where `count` images are worth it.
    Where it cannot be had, or computes something else, a line says so.
    """
    is_on_cpu = next(encoder.parameters()).device.type == "cpu"
    if not (isinstance(encoder, FrozenEncoder) and encoder.runs_in_onnx and is_on_cpu):
        return encoder
    file = folder / "encoder.onnx"
    if not file.exists() and count < MIN_IMAGES:
        return encoder
    if not (can_run_onnx() and can_export()):
        print("caudex: after pip install 'caudex[export]' images are encoded in a fifth of the time.", file=sys.stderr)
        return encoder
    images = torch.randint(0, 256, (2, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    try:
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            write_atomically(file, onnx_bytes(TakesList(encoder), {"images": images}, ["features"]))
        run, expected = run_onnx(file.read_bytes()), encoder(images)

        def encode(images: Tensor) -> Tensor:
            return torch.cat([run(part) for part in images.split(BATCH)])

        difference = ((encode(images) - expected).abs().max() / expected.abs().max()).item()
        if difference <= TOLERANCE:
            return encode
        reason = f"its features differ by {difference:.1%}"
    except Exception as error:  # whatever these packages raise, torch can do the same
        reason = short_message(error)
    file.unlink(missing_ok=True)
    print(
        f"caudex: onnxruntime cannot encode these images ({reason}); torch does, in five times the time.",
        file=sys.stderr,
    )
    return encoder
