"""What a network must know of its data: enough to rebuild it, kept as spec.json in the run."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from caudex.core.typed_json import Count, Finite, Share, Size

Side = Annotated[int, Meta(ge=1, le=1 << 20)]
ObservationSize = Annotated[int, Meta(ge=0, le=1 << 20)]
"""0 where there is nothing to see, as of bandits"""


class NoSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing: the network is the same for all data."""


MAX_IMAGE_SIDE = 4096
ImageSide = Annotated[int, Meta(ge=1, le=MAX_IMAGE_SIDE)]


class ImageSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Images of one shape [C, H, W], the classes they are sorted into, further columns of labels, and how many there are.
    `pixel_range` are the values that become 0 and 255 in images of more than 8 bits; None where there were none such. `pad`:
    an image is fitted in whole and padded, instead of cropped at the centre. `trunk` says how the pretrained trunk is built
    whose features are learned from; {}: there is none.

    `target` is what is predicted. Of tags, `classes` are their names and `tag_shares` the shares of the labelled images that
    have each; of a number, `number` are mean and standard deviation of those of the labelled images. `target_name` is the
    column of the table."""

    shape: tuple[ImageSide, ImageSide, ImageSide]
    classes: tuple[str, ...] = ()
    columns: dict[str, tuple[str, ...]] = {}
    counts: dict[str, Count] = {}
    pixel_range: tuple[Finite, Finite] | None = None
    pad: bool = False
    target: Literal["class", "tags", "number"] = "class"
    target_name: str = ""
    tag_shares: tuple[Share, ...] = ()
    number: tuple[Finite, Annotated[float, Meta(gt=0, le=1e30)]] | None = None
    trunk: dict[str, Any] = {}

    def __post_init__(self):
        if self.target == "class" and self.classes and len(set(self.classes)) < 2:
            raise ValueError(f"of the {len(self.classes)} classes no two differ")
        if self.target == "tags" and not 0 < len(self.classes) == len(self.tag_shares):
            raise ValueError(f"{len(self.classes)} tags with {len(self.tag_shares)} shares")
        if self.target == "number" and self.number is None:
            raise ValueError("a number without mean and deviation")


class ActionSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One of `count` actions; or several choices at once, the i-th among `counts[i]`; or a vector within `low` and `high`, each
    [A], None where there is no bound."""

    count: Annotated[int, Meta(ge=0, le=1 << 20)] = 0
    low: tuple[Finite | None, ...] = ()
    high: tuple[Finite | None, ...] = ()
    counts: Annotated[tuple[Annotated[int, Meta(ge=1, le=1 << 20)], ...], Meta(max_length=1 << 12)] = ()

    def __post_init__(self):
        if len(self.low) != len(self.high) or [bool(self.count), bool(self.low), bool(self.counts)].count(True) != 1:
            raise ValueError(f"{self.count or self.counts} actions, and {len(self.low)} and {len(self.high)} bounds")

    @property
    def size(self) -> int:
        """Numbers that a policy outputs."""
        return self.count or sum(self.counts) or len(self.low)

    @property
    def choices(self) -> tuple[int, ...]:
        """The number of options of each choice; () for vectors."""
        return self.counts or ((self.count,) if self.count else ())

    @property
    def is_bounded(self) -> bool:
        return None not in (*self.low, *self.high)

    @property
    def bounds(self) -> tuple[list[float], list[float]]:
        """`low` and `high` as numbers, infinite where there is no bound."""
        inf = float("inf")
        return [-inf if x is None else x for x in self.low], [inf if x is None else x for x in self.high]


class ObservationPart(Struct, frozen=True, forbid_unknown_fields=True):
    """A part of an observation that is one row of bytes: a float32 vector, a uint8 image [C, H, W], or a mask of actions."""

    kind: Literal["image", "vector", "mask"]
    shape: Annotated[tuple[Side, ...], Meta(min_length=1, max_length=3)]

    def __post_init__(self):
        if len(self.shape) != (3 if self.kind == "image" else 1):
            raise ValueError(f"a {self.kind} of shape {self.shape}")

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * (4 if self.kind == "vector" else 1)


ObservationLayout = tuple[ObservationPart, ...]
"""the parts of a row of bytes, in their order: vectors first, the mask last; () where an observation is one array"""


MAX_TASK_SIZE = 1 << 20
TaskSizeName = Annotated[str, Meta(max_length=100)]
TaskSize = (
    Annotated[int, Meta(ge=-MAX_TASK_SIZE, le=MAX_TASK_SIZE)]
    | Annotated[float, Meta(ge=-MAX_TASK_SIZE, le=MAX_TASK_SIZE)]
    | Annotated[str, Meta(max_length=100)]
)


MAX_SPACE = 1 << 24
"""numbers of an observation or action as an environment has them"""
Bound = int | Finite


class SpaceSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A space as the environment has it. `low` and `high`: the bounds of each number, or one for all; None where there is none; of
    choices the first option and the last."""

    kind: Literal["box", "discrete", "multi-discrete", "multi-binary", "dict", "tuple", "text"]
    dtype: Literal[
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "",
    ] = ""
    shape: Annotated[tuple[ObservationSize, ...], Meta(max_length=32)] = ()
    low: Annotated[tuple[Bound | None, ...], Meta(max_length=MAX_SPACE)] = ()
    high: Annotated[tuple[Bound | None, ...], Meta(max_length=MAX_SPACE)] = ()
    parts: Annotated[dict[str, SpaceSpec], Meta(max_length=64)] = {}

    @property
    def size(self) -> int:
        """Numbers of an observation or action."""
        return math.prod(self.shape) + sum(part.size for part in self.parts.values())

    def __post_init__(self):
        size = math.prod(self.shape)
        if self.size > MAX_SPACE or not len(self.low) == len(self.high) in (0, 1, size):
            raise ValueError(f"{len(self.low)} and {len(self.high)} bounds of a space of shape {self.shape}")


class EnvSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """An environment: the observation's shape once `frame_stack` frames are stacked, the actions, the sizes of its tasks, the
    parts of observations that are rows of bytes, and the texts that are left out of observations."""

    env: str
    shape: Annotated[tuple[ObservationSize, ...], Meta(min_length=1, max_length=3)]
    actions: ActionSpec
    frame_stack: Annotated[int, Meta(ge=1, le=64)] = 1
    sizes: Annotated[dict[TaskSizeName, TaskSize], Meta(max_length=100)] = {}
    """of any names, for families of tasks may come from other packages"""
    layout: Annotated[ObservationLayout, Meta(max_length=64)] = ()
    ignored_texts: tuple[str, ...] = ()
    native_observations: SpaceSpec | None = None
    native_actions: SpaceSpec | None = None
    """spaces as the environment has them; None where they are those above"""

    def __post_init__(self):
        if self.layout and self.shape != (sum(part.nbytes for part in self.layout),):
            raise ValueError(f"parts {self.layout} do not fill {self.shape} bytes")
        kinds = [part.kind for part in self.layout]
        if (
            sorted(kinds, key=("vector", "image", "mask").index) != kinds
            or max(map(kinds.count, ("vector", "mask"))) > 1
        ):
            raise ValueError(f"parts {kinds} in this order")
        if self.mask_size not in (0, sum(self.actions.choices)):
            raise ValueError(f"a mask of {self.mask_size} for {self.actions.size} actions")

    @property
    def has_images(self) -> bool:
        return len(self.shape) == 3 or any(part.kind == "image" for part in self.layout)

    @property
    def mask_size(self) -> int:
        return mask_size(self.layout)


def mask_size(layout: ObservationLayout) -> int:
    """Bytes of the mask of actions, which stand last; 0 where there is none."""
    return layout[-1].nbytes if layout and layout[-1].kind == "mask" else 0


Positive = Annotated[float, Meta(gt=0, le=1e9)]


class RopeScaling(Struct, forbid_unknown_fields=True):
    """How rotary positions are stretched over a longer context than was trained, `original_context`."""

    kind: Literal["linear", "llama3", "yarn"]
    factor: Positive
    original_context: Size = 2048
    low_freq_factor: Positive = 1.0
    high_freq_factor: Positive = 4.0
    beta_fast: Positive = 32.0
    beta_slow: Positive = 1.0
    truncate: bool = True
    attention_factor: Positive = 1.0

    def __post_init__(self):
        if self.low_freq_factor >= self.high_freq_factor or self.beta_slow >= self.beta_fast:
            raise ValueError(f"a scaling {self.kind} whose ramp does not rise")


class TransformerArguments(Struct, forbid_unknown_fields=True):
    """The limits of the transformer's arguments."""

    vocabulary: Size
    context: Size
    width: Side
    depth: Annotated[int, Meta(ge=1, le=10_000)]
    heads: Side
    hidden: Side | None = None
    causal: bool = True
    pre_norm: bool = True
    gelu_approximate: Literal["tanh", "none"] = "tanh"
    eps: Annotated[float, Meta(gt=0, le=1)] = 1e-5
    segments: Annotated[int, Meta(ge=0, le=1 << 20)] = 0
    rotary: bool = False
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    mean_pooling: bool = False
    kv_heads: Side | None = None
    head_dim: Side | None = None
    rms_norm: bool = False
    gated: bool = False
    qkv_bias: bool = True
    out_bias: bool = True
    mlp_bias: bool = True
    qk_norm: bool = False
    rope_base: Annotated[float, Meta(gt=1, le=1e12)] = 10_000.0
    rope_scaling: RopeScaling | None = None


class TextSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Texts: the arguments of the transformer, the tokenizer's description, the entropy of its tokens in nats, and the
    classes of labelled texts. Of public models: `heads` are the signals that there are weights for (None: all), `tied`
    whether the logits of tokens come from their embedding, `eos_token_ids` end a text in the tokenizer's place, and
    `chat_template` (jinja2) is how a chat is written; "" where there is none. Of classifiers: texts stand in the `prompt`, of
    which `max_tokens` are seen, and `tuned_blocks` of the trunk learned (None: all)."""

    trunk: dict[str, Any]
    tokenizer: dict
    unigram: Finite | None = None
    classes: tuple[str, ...] = ()
    heads: tuple[str, ...] | None = None
    tied: bool = True
    eos_token_ids: tuple[int, ...] = ()
    chat_template: Annotated[str, Meta(max_length=1 << 18)] = ""
    prompt: str | None = None
    max_tokens: Size | None = None
    tuned_blocks: Annotated[int, Meta(ge=0, le=10_000)] | None = None

    def __post_init__(self):
        msgspec.convert(self.trunk, TransformerArguments)


class GameSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A board game: its name, with settings, the shape [C, H, W] of its planes, and how many actions and moves it has."""

    game: str
    shape: tuple[Side, Side, Side]
    num_actions: Annotated[int, Meta(ge=1, le=1 << 20)]
    max_moves: Annotated[int, Meta(ge=1, le=1 << 20)]
    has_ownership: bool = False


class EncoderSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """The run whose features are compared; None is the packaged sentence encoder."""

    start: str | None = None
