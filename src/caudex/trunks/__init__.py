"""Networks that turn an observation into features."""

from caudex.core.trunk import Features, Trunk, Wrapped, width_of
from caudex.trunks.attention import KVCache
from caudex.trunks.conv import Conv
from caudex.trunks.decoder import Decoder
from caudex.trunks.frozen import FeatureTrunk, FrozenEncoder
from caudex.trunks.frozen_transformer import FrozenTransformer, PaddedActivations, TunedBlocks
from caudex.trunks.gru import GRU
from caudex.trunks.layers import (
    Standardise,
    StochasticDepth,
    TiedHead,
    channels_of,
    twice_differentiable,
    vocabulary_of,
)
from caudex.trunks.low_rank import AdapterPlace, LowRankTrunk
from caudex.trunks.mlp import MLP, Identity
from caudex.trunks.mobile import EfficientNetLite, fetch_efficientnet_lite
from caudex.trunks.multi_input import MultiInput
from caudex.trunks.nature import NatureCNN
from caudex.trunks.normalised import ImageNormaliser, ObservationNormaliser
from caudex.trunks.recurrent import CausalTransformer, PaddedSequences, Recurrent, select_rows
from caudex.trunks.resnet import ResNet
from caudex.trunks.resnet50 import ResNet50
from caudex.trunks.spatial_softmax import SpatialSoftmax
from caudex.trunks.transformer import BERT_LAYOUT, GPT2_LAYOUT, LLAMA_LAYOUT, PaddedTokens, Transformer, mean_pooling

__all__ = [
    "BERT_LAYOUT",
    "GPT2_LAYOUT",
    "GRU",
    "LLAMA_LAYOUT",
    "MLP",
    "AdapterPlace",
    "CausalTransformer",
    "Conv",
    "Decoder",
    "EfficientNetLite",
    "FeatureTrunk",
    "Features",
    "FrozenEncoder",
    "FrozenTransformer",
    "Identity",
    "ImageNormaliser",
    "KVCache",
    "LowRankTrunk",
    "MultiInput",
    "NatureCNN",
    "ObservationNormaliser",
    "PaddedActivations",
    "PaddedSequences",
    "PaddedTokens",
    "Recurrent",
    "ResNet",
    "ResNet50",
    "SpatialSoftmax",
    "Standardise",
    "StochasticDepth",
    "TiedHead",
    "Transformer",
    "Trunk",
    "TunedBlocks",
    "Wrapped",
    "channels_of",
    "fetch_efficientnet_lite",
    "mean_pooling",
    "select_rows",
    "twice_differentiable",
    "vocabulary_of",
    "width_of",
]  # fmt: skip
