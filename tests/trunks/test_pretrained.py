"""Image models of transformers as trunks, against what transformers itself computes from the same folder."""

import json

import pytest
import torch
import transformers
from helpers.pretrained import PREPROCESSOR, TINY_IMAGE_MODELS, write_image_model

from caudex.trunks.pretrained import build_pretrained, open_pretrained

MEAN, STD = (torch.tensor(PREPROCESSOR[name]).view(3, 1, 1) for name in ("image_mean", "image_std"))
PATCH_MODELS = {"vit": 1, "deit": 2, "dinov2": 1, "dinov2_with_registers": 5}
"""of each, the tokens before the patches"""


def reference_features(folder, model_type, images, **options):
    """Pooled features and the last map by transformers, from images in [0, 1] standardised by hand."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    output = model((images - MEAN) / STD, **options)
    if model_type not in PATCH_MODELS:
        return output.pooler_output.flatten(1), output.last_hidden_state
    tokens, first = output.last_hidden_state, PATCH_MODELS[model_type]
    patches, patch = tokens[:, first:], model.config.patch_size
    maps = patches.mT.reshape(len(images), -1, images.shape[2] // patch, images.shape[3] // patch)
    return torch.cat([tokens[:, 0], patches.mean(1)], 1), maps


@torch.no_grad()
@pytest.mark.parametrize("model_type", TINY_IMAGE_MODELS)
def test_features_are_those_of_transformers(model_type, tmp_path):
    write_image_model(tmp_path, model_type)
    trunk, config, sha256 = open_pretrained(str(tmp_path))
    trunk.eval()
    images = torch.randint(0, 256, (2, 3, 56, 70), dtype=torch.uint8)
    features = trunk(images)
    options = {"interpolate_pos_encoding": True} if model_type in ("vit", "deit") else {}
    pooled, last_map = reference_features(tmp_path, model_type, images / 255, **options)
    torch.testing.assert_close(features.pooled, pooled, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(list(features.layers.values())[-1], last_map, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(trunk(images / 255).pooled, features.pooled, rtol=1e-4, atol=1e-5)
    assert features.pooled.shape == (2, trunk.width)
    assert {name: layer.shape[1] for name, layer in features.layers.items()} == trunk.widths
    assert (trunk.image_size, len(sha256)) == (64, 64)
    copy = build_pretrained(json.loads(json.dumps(config))).eval()
    copy.load_state_dict(trunk.state_dict())
    assert torch.equal(copy(images).pooled, features.pooled)
