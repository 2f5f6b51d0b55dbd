"""The command render: a folder of images of proxy reality, with the positions of their object."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence

from caudex.cli.commands import RenderFlags
from caudex.cli.flags import parse_flags
from caudex.cli.terminal import check_new_file
from caudex.core.errors import CaudexError, counted
from caudex.core.ranges import check_range

SCENE_FLAGS = ("scene", "object_name", "table_name", "camera_name")


def render_command(words: Sequence[str]) -> None:
    flags = parse_flags(RenderFlags, words, "render")
    check_range(flags, count=(1, 100_000), size=(16, 512), samples=(1, 4096), seed=(0, 2**31 - 1))
    check_new_file("FOLDER", flags.folder)
    is_path_traced = flags.renderer == "mitsuba"
    if not is_path_traced and flags.samples != RenderFlags.samples:
        raise CaudexError("--samples: MuJoCo traces no rays; leave it out, or take --renderer mitsuba.")
    from caudex.core.seeds import derive_seed
    from caudex.data.images.positions import write_positions
    from caudex.envs.scenes.path_traced import PathTracedStage, import_mitsuba
    from caudex.experience.rendered import render_images
    from caudex.systems.simulation.localization import Localization

    if is_path_traced:
        import_mitsuba()  # first of all: a scene of one's own is simulated for seconds
    stage = Localization(size=flags.size, **{name: getattr(flags, name) for name in SCENE_FLAGS}).open_stage()
    randomiser = stage.randomiser(shape=flags.shape, seed=derive_seed(flags.seed, "proxy reality"))
    renderer = PathTracedStage(stage, flags.samples) if is_path_traced else stage
    started = time.monotonic()
    write_positions(*render_images(renderer, randomiser, flags.count), flags.folder)
    stage.close()
    same = [f"--{name.replace('_', '-')}={getattr(flags, name)}" for name in ("shape", "size", *SCENE_FLAGS)
            if getattr(flags, name) != getattr(RenderFlags, name)]  # fmt: skip
    print(
        f"{flags.folder}: {counted(flags.count, 'image')} and positions.csv, in {time.monotonic() - started:,.0f} s; next: "
        + shlex.join(["caudex", "train", "localization", "--photos", str(flags.folder), *same])
    )
