"""Which trunk an image system begins with, and the weights of a pretrained one."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from caudex import data, trunks
from caudex.core.errors import CaudexError
from caudex.core.registry import did_you_mean
from caudex.core.signal import parse_spec
from caudex.core.trust import UntrustedName, check_trusted, mark_like
from caudex.trunks.pretrained import Pretrained, build_pretrained, open_pretrained
from caudex.trunks.resnet50_weights import load_resnet50_weights

TRUNKS = ("small", "resnet50")
"""that learn from nothing"""
PRETRAINED = "efficientnet-lite0"
"""the pretrained trunk that comes with caudex"""
RESNET50 = "resnet50:"
"""before the name of a file of weights in torchvision's layout"""


def is_pretrained(name: str) -> bool:
    return name not in (*TRUNKS, "auto")


def check_trunk(name: str, pretrained: bool, tuned_blocks: int = 0) -> None:
    """Raises CaudexError for a --trunk that there cannot be, or is not to be tuned; `pretrained`: whether it may have learned before."""
    names = (*TRUNKS, "auto", PRETRAINED) if pretrained else TRUNKS
    kind, sha256 = split_name(name)
    is_folder = "/" in kind or (not isinstance(kind, UntrustedName) and Path(kind).is_dir())
    is_elsewhere = kind.startswith(("hf:", "timm:", RESNET50)) or is_folder
    if not pretrained and kind not in names and (kind == PRETRAINED or is_elsewhere):
        raise CaudexError(
            f"--trunk {name} is pretrained, and this system begins with one at random; choose {' or '.join(TRUNKS)}. With some labels, "
            f"`caudex train two-heads --trunk {PRETRAINED} --finetune 2 --also contrast` teaches the last two blocks."
        )
    if (kind not in names and not is_elsewhere) or (sha256 and not is_pretrained(kind)):
        options = (
            f"{', '.join(names)}, hf:NAME, timm:NAME, {RESNET50}FILE or a folder" if pretrained else " or ".join(names)
        )
        raise CaudexError(f"--trunk {name} is unknown.{did_you_mean(name, names)} Choose {options}.")
    if tuned_blocks and name != "auto" and not is_pretrained(name):
        raise CaudexError(
            f"--finetune {tuned_blocks} is for pretrained trunks; add --trunk {PRETRAINED}, or leave it out."
        )


def split_name(name: str) -> tuple[str, str]:
    """efficientnet-lite0@5793... in its two parts; the hash is "" where there is none."""
    match = re.fullmatch(r"(.+)@([0-9a-f]{8,64})", name)
    return (mark_like(match[1], name), match[2]) if match else (name, "")


def pin_trunk(name: str) -> str:
    """The name of a pretrained trunk with the SHA-256 of its weights: efficientnet-lite0@5793... Raises CaudexError where these cannot
    be had, or are others than the name says."""
    return f"{split_name(name)[0]}@{_open(name).sha256}"


def idle_signals(also: Sequence[str], tuned_blocks: int) -> list[str]:
    """Those of `--also` that would teach a pretrained trunk nothing: they learn without labels, and all of its blocks stay frozen."""
    return [] if tuned_blocks else [flag for flag in also if parse_spec(flag)[1].needs != "labelled"]


def resolve_trunk(
    name: str, images: str, labels: str | None, idle: Sequence[str] = (), target: str | None = None
) -> str:
    """The trunk that `auto` stands for, of these images with their labels and `target` as in `load_images`: the pretrained one for colour
    images that are not packaged. That of any other name is its own; a pretrained one comes with the hash of its weights. Raises
    CaudexError as `check_teachable` does."""
    if name == "auto":
        return auto_trunk(
            images not in data.PACKAGED_IMAGES and data.has_colour(images, labels, target or "auto"), idle
        )
    check_teachable(name, idle)
    return pin_trunk(name) if is_pretrained(name) else name


def check_teachable(name: str, idle: Sequence[str]) -> None:
    """Raises CaudexError where signals are `idle` on a pretrained trunk."""
    if idle and is_pretrained(name):
        raise CaudexError(
            f"--also {idle[0]}: {split_name(name)[0]} stays frozen and learns nothing from this signal; add --finetune 2, so that its last "
            "two blocks learn, or take --trunk small."
        )


def auto_trunk(is_own_colour: bool, idle: Sequence[str] = ()) -> str:
    """The pretrained trunk with its hash, for colour images of one's own; else, or where it cannot be had or signals would be `idle` on
    it, the small one."""
    if not is_own_colour:
        return "small"
    if idle:
        advice = f"--finetune 2 lets the last two blocks of {PRETRAINED} learn from it, which takes longer."
        print(f"caudex: for --also {idle[0]} a small network learns from your images alone; {advice}", file=sys.stderr)
        return "small"
    try:
        return pin_trunk(PRETRAINED)
    except CaudexError as error:
        print(f"caudex: {error} Now a small network learns from your images alone.", file=sys.stderr)
        return "small"


def open_encoder(name: str, tuned_blocks: int) -> trunks.FrozenEncoder:
    """The frozen part of the pretrained trunk of that name, with its weights."""
    trunk, config, _ = _open(name)
    return trunks.FrozenEncoder(trunk, tuned_blocks, config)


def untrained_encoder(config: Mapping[str, Any], tuned_blocks: int) -> trunks.FrozenEncoder:
    """The same with random weights, from the `config` of an encoder."""
    own = {PRETRAINED: trunks.EfficientNetLite, RESNET50: trunks.ResNet50}.get(config.get("model_type"))
    trunk = own() if own and len(config) == 1 else build_pretrained(config)
    return trunks.FrozenEncoder(trunk, tuned_blocks, config)


def _open(name: str) -> Pretrained:
    kind, sha256 = split_name(name)
    if kind != PRETRAINED:
        check_trusted(kind, f"would take the pretrained weights {kind}")
    pretrained = _open_kind(kind)
    if not pretrained.sha256.startswith(sha256):
        raise CaudexError(
            f"--trunk {name}: the weights of {kind} now have the SHA-256 {pretrained.sha256}; begin a new run with --trunk {kind}."
        )
    return pretrained


@lru_cache(maxsize=1)
def _open_kind(kind: str) -> Pretrained:
    """Its weights are frozen, so that all in this process can share them."""
    if kind.startswith(RESNET50):
        trunk = trunks.ResNet50()
        sha256 = load_resnet50_weights(trunk, Path(kind.removeprefix(RESNET50)).expanduser())
        return Pretrained(trunk.eval(), {"model_type": RESNET50}, sha256)
    if kind != PRETRAINED:
        return open_pretrained(kind)
    trunk, sha256 = trunks.fetch_efficientnet_lite()
    return Pretrained(trunk, {"model_type": PRETRAINED}, sha256)
