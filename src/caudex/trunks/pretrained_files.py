"""Where the files of a pretrained image model are, and their weights in a network of transformers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from caudex.core.errors import CaudexError, short_message
from caudex.core.public_weights import weight_files
from caudex.core.registry import did_you_mean
from caudex.trunks.pretrained_config import ImageModelConfig, import_transformers, network_options

HUB_NAMES = (
    "microsoft/resnet-18", "microsoft/resnet-50", "facebook/convnext-tiny-224", "facebook/convnextv2-tiny-1k-224",
    "facebook/convnextv2-nano-1k-224", "google/mobilenet_v2_1.0_224", "google/efficientnet-b0",
    "google/vit-base-patch16-224", "google/vit-base-patch16-224-in21k", "facebook/deit-tiny-patch16-224", "facebook/dino-vits16",
    "facebook/dinov2-small", "facebook/dinov2-base", "facebook/dinov2-large", "facebook/dinov2-with-registers-small",
)  # fmt: skip
"""names that are known to fit, for suggestions"""
WEIGHTS = "model.safetensors"
HUB_FILES = ["config.json", "preprocessor_config.json", WEIGHTS, f"{WEIGHTS}.index.json", "model-*.safetensors"]
PICKLED = (".bin", ".pth", ".pt", ".ckpt", ".h5", ".msgpack")


def find_folder(name: str) -> Path:
    """The folder that `name` says, or that of the hub's cache, fetched if it is not there."""
    if name.startswith("hf:"):
        return fetch_hub_folder(name[3:])
    folder = Path(name).expanduser()
    if not folder.is_dir():
        suggestion = did_you_mean(f"hf:{name}", [f"hf:{hub_name}" for hub_name in HUB_NAMES])
        raise CaudexError(f"there is no folder {name}; a pretrained trunk is hf:NAME or a folder.{suggestion}")
    for file in sorted(folder.iterdir()):
        if file.is_symlink():
            raise CaudexError(
                f"{file} is a link, which is not followed in a folder of weights; `cp -rL` makes a folder of files, and "
                "`hf download NAME --local-dir FOLDER` fetches one."
            )
    return folder


def fetch_hub_folder(name: str) -> Path:
    """The hub's files of that name, from this machine's cache where the hub cannot be reached."""
    import_transformers()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (HFValidationError, RepositoryNotFoundError):
        suggestion = did_you_mean(name, HUB_NAMES) or f" These fit: {', '.join(HUB_NAMES)}."
        raise CaudexError(f"hf:{name} is not on the hub, or is not open to you.{suggestion}") from None
    except Exception as error:  # the package raises its own, the network's and the file system's
        suggestion = "" if name in HUB_NAMES else did_you_mean(name, HUB_NAMES)
        raise CaudexError(
            f"hf:{name} cannot be fetched ({short_message(error)}), and is not in this machine's cache.{suggestion} Where there is a network, "
            f"`hf download {name} --local-dir FOLDER` fetches it; bring FOLDER here and name it in place of hf:{name}."
        ) from None


def find_weights(folder: Path) -> list[Path]:
    """The safetensors of the folder; CaudexError where there are none, or only pickles."""
    if files := weight_files(folder, WEIGHTS):
        return files
    if pickled := [file for file in sorted(folder.iterdir()) if file.suffix in PICKLED]:
        raise CaudexError(
            f"{pickled[0]} is not safetensors, and such a file can hold code; take a model with {WEIGHTS}, or convert it where you "
            "trust it: load it with transformers and call save_pretrained."
        )
    raise CaudexError(
        f"{folder} holds no {WEIGHTS}: no weights, or on the hub only pickled ones, which can hold code and are not fetched. Fetch "
        "the folder again, or take another model."
    )


def load_network(config: ImageModelConfig, folder: Path, files: list[Path]) -> nn.Module:
    """The network of transformers with the folder's weights, float32. Heads in the files are left out; CaudexError where
    anything else is missing, is too many, or has another shape."""
    transformers = import_transformers()
    network_config = transformers.CONFIG_MAPPING[config.model_type](**config.network)
    network_class = transformers.MODEL_MAPPING[type(network_config)]
    options = {"config": network_config, "use_safetensors": True, "local_files_only": True, "dtype": torch.float32}
    options |= {"ignore_mismatched_sizes": True, "output_loading_info": True} | network_options(config.model_type)
    try:
        with _quiet(transformers.logging):
            network, report = network_class.from_pretrained(folder, **options)
    except Exception as error:  # safetensors, torch and transformers raise nearly every kind
        raise CaudexError(
            f"the weights in {folder} cannot be read ({short_message(error)}); fetch the folder again."
        ) from None
    modules, prefix = {name for name, _ in network.named_children()}, f"{network_class.base_model_prefix}."
    misfits = [
        f"{key} is {tuple(shape)} there and {tuple(size)} here"
        for key, shape, size in sorted(report["mismatched_keys"])
    ]
    misfits += [f"{key} is missing" for key in report["missing_keys"] if not key.endswith("num_batches_tracked")]
    for key in report["unexpected_keys"]:
        if key.removeprefix(prefix).partition(".")[0] in modules and not key.endswith("mask_token"):  # else of a head
            misfits.append(f"{key} has no place")
    if misfits:
        raise CaudexError(
            f"the weights in {folder} are of another network or version than config.json, a {config.model_type}: {misfits[0]}; "
            "fetch both again."
        )
    return network


@contextmanager
def _quiet(logging: Any) -> Iterator[None]:
    """Without transformers' own bars and tables of what was loaded."""
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()
