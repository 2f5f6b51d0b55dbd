"""Tiny image models of transformers, as folders, with weights that are not as they begin."""

import json
from pathlib import Path

import torch
import transformers

from helpers.public_models import disturb_weights

FOUR_STAGES = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]}
PATCHES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TINY_IMAGE_MODELS = {
    "resnet": {"embedding_size": 8, **FOUR_STAGES},
    "regnet": {"embedding_size": 8, "groups_width": 4, **FOUR_STAGES},
    "convnext": FOUR_STAGES,
    "convnextv2": FOUR_STAGES,
    "mobilenet_v1": {"depth_multiplier": 0.25},
    "mobilenet_v2": {"depth_multiplier": 0.25},
    "efficientnet": {"width_coefficient": 0.5, "depth_coefficient": 0.3, "hidden_dim": 640},
    "vit": {**PATCHES, "num_hidden_layers": 6, "intermediate_size": 48, "image_size": 48, "patch_size": 16},
    "deit": {**PATCHES, "intermediate_size": 48, "image_size": 48, "patch_size": 16},
    "dinov2": {**PATCHES, "image_size": 42, "patch_size": 14},
    "dinov2_with_registers": {**PATCHES, "image_size": 42, "patch_size": 14},
}  # fmt: skip
PREPROCESSOR = {"size": 64, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.2, 0.5], "do_normalize": True}


def tiny_image_model(model_type: str, **settings):
    """A classifier; its head is no part of a trunk."""
    torch.manual_seed(0)
    config = transformers.CONFIG_MAPPING[model_type](**{**TINY_IMAGE_MODELS[model_type], **settings})
    kinds = transformers.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
    return disturb_weights((kinds[0] if isinstance(kinds, tuple) else kinds)(config))


def write_image_model(folder: Path, model_type: str, preprocessor: dict | None = PREPROCESSOR, **settings):
    """The classifier of a folder with config.json, model.safetensors and preprocessor_config.json."""
    model = tiny_image_model(model_type, **settings)
    model.save_pretrained(folder)
    if preprocessor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return model
