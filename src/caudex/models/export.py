"""Trained networks as ONNX files that say what they need; those of images have preprocessing and classes in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.disk import serialize_tensors, write_atomically
from caudex.core.onnx import TakesList, onnx_bytes
from caudex.core.specs import ImageSpec
from caudex.data.images.decode import PADDING


def export_images(module: nn.Module, spec: ImageSpec, folder: Path, output_name: str) -> list[Path]:
    """model.onnx (images uint8 [N, C, H, W] to `output_name` [N, ...]), model.safetensors and, where there are classes,
    classes.json. The metadata of model.onnx has the same, each entry as JSON."""
    metadata = {"preprocessing": preprocessing(spec)}
    if output_name == "probabilities":
        metadata = {"classes": spec.classes, **metadata}
    images = {"images": torch.zeros(2, *spec.shape, dtype=torch.uint8)}
    files = [export_onnx(TakesList(module), images, (output_name,), folder, metadata), folder / "model.safetensors"]
    write_atomically(files[-1], serialize_tensors(module.state_dict()))
    if "classes" in metadata:
        files.append(folder / "classes.json")
        write_atomically(files[-1], json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
    return files


def export_onnx(
    module: nn.Module, inputs: dict[str, Tensor], outputs: Sequence[str], folder: Path, metadata: dict[str, Any]
) -> Path:
    """model.onnx, as `onnx_bytes` makes it."""
    write_atomically(folder / "model.onnx", onnx_bytes(module, inputs, outputs, metadata))
    return folder / "model.onnx"


def preprocessing(spec: ImageSpec) -> dict[str, Any]:
    """What `caudex predict` does to an image file before the network sees it. Of images of more than 8 bits, the two values of
    `pixel_range` become 0 and 255."""
    channels, height, width = spec.shape
    cropped = "cover width x height, bicubic, then crop at the centre (PIL.ImageOps.fit)"
    padded = "fit whole into width x height, bicubic, on the colour of `padding` (PIL.ImageOps.pad)"
    return {
        "mode": "L" if channels == 1 else "RGB",
        "width": width,
        "height": height,
        "resize": f"{padded if spec.pad else cropped}, upright by EXIF, on white",
        "padding": PADDING[3] if spec.pad else None,
        "dtype": "uint8",
        "range": [0, 255],
        "pixel_range": spec.pixel_range,
        "layout": "NCHW",
    }
