"""Networks in ONNX, and what onnxruntime computes of them."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError


class TakesList(nn.Module):
    """A module of one input, which comes in a list."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, inputs: list[Tensor]) -> Tensor:
        return self.module(*inputs)


def onnx_bytes(
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: Sequence[str],
    metadata: Mapping[str, Any] = MappingProxyType({}),
) -> bytes:
    """An ONNX file of a module whose `forward` takes a list; `inputs` by name are examples [2, ...] of any number of rows, and each entry
    of the metadata becomes JSON. Raises CaudexError without the packages."""
    if not can_export():
        raise CaudexError("export needs the packages onnx and onnxscript: pip install 'caudex[export]'.")
    module.eval()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of what is not installed and not needed
    rows = torch.export.Dim("n")
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            module, (list(inputs.values()),), input_names=list(inputs), output_names=outputs,
            dynamic_shapes=([{0: rows}] * len(inputs),), dynamo=True, verbose=False,
        )  # fmt: skip
    program.model.metadata_props.update({name: json.dumps(value) for name, value in metadata.items()})
    return program.model_proto.SerializeToString()


def can_export() -> bool:
    return find_spec("onnx") is not None and find_spec("onnxscript") is not None


def can_run_onnx() -> bool:
    return find_spec("onnxruntime") is not None


def run_onnx(content: bytes) -> Callable[[Tensor], Tensor]:
    """The function of one tensor that an ONNX file holds, on as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # threads that wait leave the cores to others
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (node,) = session.get_inputs()
    return lambda x: torch.from_numpy(session.run(None, {node.name: x.numpy()})[0])
