"""The limits of fields of a public config.json."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Vocabulary = Annotated[int, Meta(ge=1, le=1 << 26)]
Context = Annotated[int, Meta(ge=8, le=1 << 24)]
Width = Annotated[int, Meta(ge=8, le=100_000)]
NumLayers = Annotated[int, Meta(ge=1, le=1000)]
Hidden = Annotated[int, Meta(ge=1, le=1 << 24)]
HeadDim = Annotated[int, Meta(ge=2, le=1 << 16)]
NumHeads = Annotated[int, Meta(ge=1, le=100_000)]
Epsilon = Annotated[float, Meta(gt=0, le=1)]
TokenIds = int | tuple[int, ...] | None
