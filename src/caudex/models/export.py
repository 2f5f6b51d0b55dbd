"""A trained network as files that other programs read."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from caudex.core.disk import serialize_tensors, write_atomically
from caudex.core.errors import CaudexError


def export_onnx(module: nn.Module, image_shape: tuple[int, int, int], folder: Path, output_name: str) -> list[Path]:
    """model.onnx (images float [N, C, H, W] in [0, 1] to `output_name` [N, ...]) and model.safetensors."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise CaudexError("export needs the packages onnx and onnxscript: pip install 'caudex[export]'.") from None
    module.eval()
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "model.safetensors", serialize_tensors(module.state_dict()))
    torch.onnx.export(
        module, (torch.zeros(2, *image_shape),), folder / "model.onnx", input_names=["images"], output_names=[output_name],
        dynamic_shapes={"images": {0: torch.export.Dim("n")}}, dynamo=True, external_data=False, verbose=False,
    )  # fmt: skip
    return [folder / "model.onnx", folder / "model.safetensors"]
