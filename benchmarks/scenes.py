"""Rendering of table-top scenes, MuJoCo's own defaults and ours in turns in one process: `python benchmarks/scenes.py`.

Each image is another random scene, noise included. "edited" shows scenes as training does: one compiled model is edited and its
textures are uploaded again. "same scene" renders one scene again and again: what the renderer alone takes. "compiled anew" makes a
model and a context for each image. One thread; the processor paints (Mesa's llvmpipe). Seconds are
those of the processor, so that other work on the machine counts little. Writes results/scenes.csv.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from caudex.envs.scenes.stage import SHADOW_SIZE, MuJoCoStage

RENDERERS = {  # side of the shadow map, samples a pixel
    "MuJoCo's defaults": (4096, 4),
    "shadows of 1024": (1024, 0),
    "shadows of 512 (default here)": (SHADOW_SIZE, 0),
    "no shadows, 4 samples": (0, 4),
    "no shadows": (0, 0),
}


def images_per_second(paint: Callable[[int], None], seconds: float) -> float:
    """`paint(i)` paints the image i; the first is not timed."""
    paint(0)
    started, count = time.process_time(), 0
    while (spent := time.process_time() - started) < seconds or count < 4:
        count += 1
        paint(count)
    return count / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--core", type=int, help="the only one that is used")
    parser.add_argument("--out", type=Path, default=Path("results/scenes.csv"))
    arguments = parser.parse_args()
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    os.environ["LP_NUM_THREADS"] = "0"  # of llvmpipe: paint in this thread
    rates: dict[tuple, list[float]] = {}
    for side in arguments.sides:
        for _ in range(arguments.repeats):
            for name, renderer in RENDERERS.items():
                stage = MuJoCoStage(side, *renderer)
                scenes = stage.randomiser().scenes(range(256))
                for scene in scenes:  # makes the pixels of all textures, which a long rendering does once
                    stage.show(scene)

                def edit(i: int, stage=stage, scenes=scenes) -> None:
                    stage.show(scenes[i % len(scenes)])
                    stage.render()

                def repeat(i: int, stage=stage) -> None:
                    stage.eye.render(stage.model, stage.data)

                def compile_anew(i: int, side=side, renderer=renderer, scenes=scenes) -> None:
                    fresh = MuJoCoStage(side, *renderer)
                    fresh.show(scenes[i % len(scenes)])
                    fresh.render()
                    fresh.close()

                ways = {"edited": edit, "same scene": repeat, "compiled anew": compile_anew}
                for way, paint in ways.items():
                    rates.setdefault((side, name, *renderer, way), []).append(
                        images_per_second(paint, arguments.seconds)
                    )
                stage.close()
    table = Table("side", "renderer", "way", "images/s", "from", "to", "times MuJoCo's defaults")
    rows = []
    for (side, name, shadow, samples, way), figures in rates.items():
        own = statistics.median(rates[side, "MuJoCo's defaults", 4096, 4, way])
        median, low, high = statistics.median(figures), min(figures), max(figures)
        table.add_row(str(side), name, way, f"{median:,.0f}", f"{low:,.0f}", f"{high:,.0f}", f"{median / own:.1f}")
        rows.append(
            [side, name, shadow, samples, way, round(median, 1), round(low, 1), round(high, 1), round(median / own, 2)]
        )
    Console().print(table)
    with arguments.out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "side",
                "renderer",
                "shadow map",
                "samples",
                "way",
                "images/s",
                "lowest",
                "highest",
                "times MuJoCo's defaults",
            ]
        )
        writer.writerows(rows)


if __name__ == "__main__":
    main()
