"""Image models of transformers as trunks, against what transformers itself computes from the same folder."""

import dataclasses
import json
from typing import Any

import pytest
import torch
import transformers
from helpers.mutations import mutated_json
from helpers.pretrained import PREPROCESSOR, TINY_IMAGE_MODELS, write_image_model
from helpers.public_models import disturb_weights
from hypothesis import given, settings
from hypothesis import strategies as some

from caudex.core.compute import count_flops
from caudex.core.errors import CaudexError
from caudex.core.typed_json import decode_json
from caudex.trunks.pretrained import build_pretrained, open_pretrained
from caudex.trunks.pretrained_config import FIELDS, MODEL_TYPES, fields_type

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
    assert not any(module.training for module in trunk.modules())
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


WITHOUT_EFFECT = set(
    """
    num_channels initializer_range pooler_output_size pooler_act encoder_stride classifier_dropout_prob dropout_rate
    semantic_loss_ignore_index apply_layernorm reshape_hidden_states _out_features _out_indices
    """.split()  # noqa: SIM905
)
"""fields of heads, of how weights begin, and of what is not asked for; the number of channels is always 3"""


def test_every_field_of_the_families_is_honoured_or_without_effect():
    of_all = {field.name for field in dataclasses.fields(transformers.PretrainedConfig)}
    for model_type in MODEL_TYPES:
        fields = {field.name for field in dataclasses.fields(transformers.CONFIG_MAPPING[model_type])} - of_all
        assert fields - WITHOUT_EFFECT == set(fields_type(model_type).__struct_fields__), model_type
    assert set(FIELDS) == {name for model_type in MODEL_TYPES for name in fields_type(model_type).__struct_fields__}


@torch.no_grad()
def test_maps_of_dinov2_are_those_of_its_backbone(tmp_path):
    config = transformers.Dinov2Config(**TINY_IMAGE_MODELS["dinov2"], out_features=["stage1", "stage2"])
    backbone = disturb_weights(transformers.Dinov2Backbone(config))
    backbone.save_pretrained(tmp_path)
    trunk = open_pretrained(str(tmp_path)).trunk.eval()
    images = torch.rand(2, 3, 70, 42)
    maps = backbone(trunk.standardise(images)).feature_maps
    for layer, expected in zip(trunk(images).layers.values(), maps, strict=True):
        torch.testing.assert_close(layer, expected, rtol=1e-4, atol=1e-5)


def test_maps_of_convolutional_networks_halve_and_those_of_transformers_are_of_even_blocks(tmp_path):
    write_image_model(tmp_path, "resnet")
    layers = open_pretrained(str(tmp_path)).trunk(torch.rand(1, 3, 64, 64)).layers
    assert {name: layer.shape[1:] for name, layer in layers.items()} == {
        "stage1": (8, 16, 16), "stage2": (16, 8, 8), "stage3": (24, 4, 4), "stage4": (32, 2, 2),
    }  # fmt: skip
    trunk = build_pretrained(vit_config(num_hidden_layers=12))
    assert trunk.layer_places == {"stage1": 3, "stage2": 6, "stage3": 9, "stage4": 12}


def test_operations_of_a_transformer_by_hand():
    # 48 x 48 pixels in patches of 16: 9 patches and the class token; 6 blocks of width 32, hidden layer 48
    patches = 9 * 32 * 3 * 16 * 16
    block = 10 * (4 * 32 * 32 + 2 * 32 * 48) + 2 * 10 * 10 * 32
    trunk = build_pretrained(vit_config())
    assert trunk.flops((3, 48, 48)) == 2 * (patches + 6 * block)
    with torch.no_grad(), count_flops(trunk) as counter:
        trunk(torch.rand(2, 3, 48, 48))
    assert counter.flops == 2 * trunk.flops((3, 48, 48))


@pytest.mark.parametrize(
    ("changes", "mean", "std", "size"),
    [
        ({}, 0.5, 0.25, 64),
        ({"image_mean": None, "image_std": None}, 0.485, 0.229, 64),
        ({"do_normalize": False}, 0, 1, 64),
        ({"do_rescale": False, "image_mean": [127.0] * 3, "image_std": [128.0] * 3}, 127 / 255, 128 / 255, 64),
        ({"rescale_factor": 1 / 127.5, "rescale_offset": True, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}, 0.5, 0.5, 64),
        ({"image_processor_type": "EfficientNetImageProcessor"}, 0.5, 0.0625, 64),
        ({"image_processor_type": "EfficientNetImageProcessor", "include_top": False}, 0.5, 0.25, 64),
        ({"size": {"height": 96, "width": 128}}, 0.5, 0.25, 96),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True}, 0.5, 0.25, 224),
        ({"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": False}, 0.5, 0.25, 256),
        ({"size": {"longest_edge": 512}}, 0.5, 0.25, 48),
        (None, 0.485, 0.229, 48),
    ],
)  # fmt: skip
def test_the_preprocessor_says_how_images_look(changes, mean, std, size, tmp_path):
    write_image_model(tmp_path, "vit", preprocessor=None if changes is None else PREPROCESSOR | changes)
    trunk = open_pretrained(str(tmp_path)).trunk
    assert trunk.standardise.mean[0].item() == pytest.approx(mean)
    assert trunk.standardise.std[0].item() == pytest.approx(std)
    assert trunk.image_size == size


def test_images_that_do_not_fit_are_refused():
    trunk = build_pretrained(vit_config())
    for shape, message in (((1, 1, 48, 48), "1 channels and 48 x 48"), ((1, 3, 48, 31), "at least 32 pixels, best 48")):
        with pytest.raises(CaudexError, match=message):
            trunk(torch.rand(shape))


def vit_config(**fields):
    """As a run keeps it."""
    network = TINY_IMAGE_MODELS["vit"] | fields
    statistics = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    return {"model_type": "vit", "image_size": 48, **statistics, "network": network}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (vit_config(num_attention_heads=64), "describes no vit that can be built"),
        (vit_config(hidden_size=-32), r"hidden_size is -32 \(expected `int` >= 1\)"),
        (vit_config(hidden_size=1 << 20), "hidden_size is 1048576"),
        (
            vit_config(hidden_size=1 << 14, intermediate_size=1 << 16, num_hidden_layers=24),
            "parameters, over 2,147,483,648",
        ),
        (vit_config(hidden_act="a.kernel/of.the:hub"), r"hidden_act is \"a\.kernel/of\.the:hub\" \(not a value"),
        (vit_config(patch_size=96), "describes no vit"),
        (vit_config() | {"model_type": "llama"}, 'model_type is "llama"'),
        (vit_config() | {"image_std": [0.5, 0, 0.5]}, "a standard deviation is above 0"),
        (vit_config() | {"image_mean": [0.5]}, "image_mean is"),
        (vit_config() | {"image_size": 10**6}, "image_size is 1000000"),
        (vit_config() | {"code": "x"}, "unknown field `code`"),
        ({}, "missing required field"),
    ],
)
def test_a_config_that_describes_no_network_is_refused(config, message):
    with pytest.raises(CaudexError, match=message):
        build_pretrained(config)


def test_fields_that_could_name_code_or_kernels_do_not_count():
    config = vit_config(
        attn_implementation="kernels-community/x", _attn_implementation="x/y", auto_map={"AutoModel": "a.B"}
    )
    network = build_pretrained(config).network
    assert network.config._attn_implementation == "sdpa"
    assert not hasattr(network.config, "auto_map")


CONFIGS = {
    model_type: json.dumps(vit_config() | {"model_type": model_type, "network": TINY_IMAGE_MODELS[model_type]})
    for model_type in ("resnet", "convnext", "vit", "dinov2_with_registers")
}


@given(some.sampled_from(sorted(CONFIGS)).flatmap(lambda name: mutated_json(CONFIGS[name].encode())))
@settings(max_examples=60, derandomize=True)
def test_whatever_a_run_holds_ends_in_a_trunk_or_in_one_sentence(content):
    try:
        trunk = build_pretrained(decode_json(content, dict[str, Any], "spec.json"))
    except CaudexError as error:
        assert "\n" not in str(error)
    else:
        assert trunk.width > 0
