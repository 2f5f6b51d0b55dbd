"""A trained network of images as an ONNX file that says what it needs: preprocessing and classes are in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from caudex.core.disk import serialize_tensors, write_atomically
from caudex.core.errors import CaudexError
from caudex.core.specs import ImageSpec


def export_onnx(module: nn.Module, spec: ImageSpec, folder: Path, output_name: str) -> list[Path]:
    """model.onnx (images uint8 [N, C, H, W] to `output_name` [N, ...]), model.safetensors and, where there are classes,
    classes.json. The metadata of model.onnx has the same, each entry as JSON."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        raise CaudexError("export needs the packages onnx and onnxscript: pip install 'caudex[export]'.") from None
    module.eval()
    program = torch.onnx.export(
        module, (torch.zeros(2, *spec.shape, dtype=torch.uint8),), input_names=["images"], output_names=[output_name],
        dynamic_shapes={"images": {0: torch.export.Dim("n")}}, dynamo=True, verbose=False,
    )  # fmt: skip
    metadata = {"preprocessing": preprocessing(spec)}
    if output_name == "probabilities":
        metadata = {"classes": spec.classes, **metadata}
        write_atomically(folder / "classes.json", json.dumps(metadata, indent=1, ensure_ascii=False) + "\n")
    program.model.metadata_props.update({name: json.dumps(value) for name, value in metadata.items()})
    write_atomically(folder / "model.onnx", program.model_proto.SerializeToString())
    write_atomically(folder / "model.safetensors", serialize_tensors(module.state_dict()))
    names = ("model.onnx", "model.safetensors", "classes.json")
    return [folder / name for name in names if name != "classes.json" or "classes" in metadata]


def preprocessing(spec: ImageSpec) -> dict[str, Any]:
    """What `caudex predict` does to an image file before the network sees it. Of images of more than 8 bits, the two values of
    `pixel_range` become 0 and 255."""
    channels, height, width = spec.shape
    return {
        "mode": "L" if channels == 1 else "RGB",
        "width": width,
        "height": height,
        "resize": "cover width x height, bicubic, then crop at the centre (PIL.ImageOps.fit), upright by EXIF, on white",
        "dtype": "uint8",
        "range": [0, 255],
        "pixel_range": spec.pixel_range,
        "layout": "NCHW",
    }
