"""What a network must know of its data: enough to rebuild it, kept as spec.json in the run."""

from __future__ import annotations

from msgspec import Struct


class NoSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing: the network is the same for all data."""


class ImageSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Images of one shape [C, H, W], the classes they are sorted into, further columns of labels, and how many there are.
    `pixel_range` are the values that become 0 and 255 in images of more than 8 bits; None where there were none such."""

    shape: tuple[int, int, int]
    classes: tuple[str, ...] = ()
    columns: dict[str, tuple[str, ...]] = {}
    counts: dict[str, int] = {}
    pixel_range: tuple[float, float] | None = None


class ActionSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One of `count` actions, or a vector within `low` and `high`, each [A]."""

    count: int = 0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Numbers that a policy outputs."""
        return self.count or len(self.low)


class EnvSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """An environment: the observation's shape once `frame_stack` frames are stacked, the actions, and the sizes of its tasks."""

    env: str
    shape: tuple[int, ...]
    actions: ActionSpec
    frame_stack: int = 1
    sizes: dict[str, int | float | str] = {}


class TextSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Texts: the arguments of the transformer, the tokenizer's description, the entropy of its tokens in nats, and the
    classes of labelled texts. Of public models: `heads` are the signals that there are weights for (None: all), `tied`
    whether the logits of tokens come from their embedding, and `eos_token_ids` end a text in the tokenizer's place."""

    trunk: dict[str, int | float | bool | str | None]
    tokenizer: dict
    unigram: float | None = None
    classes: tuple[str, ...] = ()
    heads: tuple[str, ...] | None = None
    tied: bool = True
    eos_token_ids: tuple[int, ...] = ()


class EncoderSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """The run whose features are compared; None is the packaged sentence encoder."""

    start: str | None = None
