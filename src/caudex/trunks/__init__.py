"""Networks that turn an observation into features."""

from caudex.core.trunk import Features, Trunk, Wrapped, width_of
from caudex.trunks.conv import Conv
from caudex.trunks.decoder import Decoder
from caudex.trunks.gru import GRU
from caudex.trunks.layers import Standardise, StochasticDepth, Tied, channels_of, twice_differentiable, vocabulary_of
from caudex.trunks.mlp import MLP, Identity
from caudex.trunks.nature import Nature
from caudex.trunks.normalised import Normalised
from caudex.trunks.recurrent import Causal, Padded, Recurrent, chosen
from caudex.trunks.resnet import ResNet
from caudex.trunks.resnet50 import ResNet50
from caudex.trunks.transformer import BERT_LAYOUT, GPT2_LAYOUT, Memory, Sequences, Transformer, mean_of

__all__ = [
    "BERT_LAYOUT", "GPT2_LAYOUT", "GRU", "MLP", "Causal", "Conv", "Decoder", "Features", "Identity", "Memory", "Nature",
    "Normalised", "Padded", "Recurrent", "ResNet", "ResNet50", "Sequences", "Standardise", "StochasticDepth", "Tied",
    "Transformer", "Trunk", "Wrapped", "channels_of", "chosen", "mean_of", "twice_differentiable", "vocabulary_of",
    "width_of",
]  # fmt: skip
