"""Networks that turn an observation into features."""

from caudex.trunks.bottleneck import ResNet50
from caudex.trunks.conv import Conv
from caudex.trunks.decoder import Decoder
from caudex.trunks.layers import Features, Standardise, StochasticDepth, Trunk, Wrapped, channels_of, width_of
from caudex.trunks.mlp import MLP, Identity
from caudex.trunks.resnet import ResNet

__all__ = [
    "MLP",
    "Conv",
    "Decoder",
    "Features",
    "Identity",
    "ResNet",
    "ResNet50",
    "Standardise",
    "StochasticDepth",
    "Trunk",
    "Wrapped",
    "channels_of",
    "width_of",
]
