"""Commands for worlds: play."""

from __future__ import annotations

import io
from collections.abc import Sequence

from caudex.errors import CaudexError
from caudex.flags import Play, parse
from caudex.terminal import new_file, show


def play_(words: Sequence[str]) -> None:
    flags = parse(Play, words, "play")
    if not 1 <= flags.episodes <= 100_000:
        raise CaudexError(f"--episodes {flags.episodes} is out of range; it must be between 1 and 100000.")
    new_file("--video", flags.video, ".mp4")
    new_file("--video", flags.video and flags.video.with_suffix(".png"))
    from PIL import Image

    from caudex import filming
    from caudex.disk import write
    from caudex.player import Player
    from caudex.reward import summary, told
    from caudex.system import load

    player = load(flags.run)
    if not isinstance(player, Player):
        raise CaudexError(f"{flags.run} holds nothing that acts in a world; give a run of ppo or dqn, for example.")
    found = summary(player.play(flags.episodes, flags.seed, not flags.drawn, flags.world))
    show([("episodes", "mean return", "95% interval", "worst", "best"), (f"{flags.episodes:,}", *told(found))])
    if flags.video:
        pictures, total = player.watch(flags.seed, not flags.drawn, flags.world)
        filming.film(pictures, flags.video)
        image = io.BytesIO()
        Image.fromarray(filming.sheet(pictures)).save(image, "png")
        write(flags.video.with_suffix(".png"), image.getvalue())
        print(f"a further episode, which earned {total:,.1f}: {flags.video}, {flags.video.with_suffix('.png')}")
