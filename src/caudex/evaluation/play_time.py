"""Steps in an Atari game as hours of play, and how many of them a policy needed to play like a human."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from caudex.envs.adapters.atari import AtariEnv
from caudex.evaluation.reference_scores import reference_scores

STEPS_PER_HOUR = 3600 * AtariEnv.render_fps
SMOOTHING = 10
"""rows of metrics whose returns are averaged before they count"""


def play_time(env: str, rows: Sequence[Mapping[str, float]]) -> dict[str, float | None] | None:
    """Of a training in an Atari game with a published human score: `hours` played, that score (`human_return`), and after how
    many hours the mean return of `SMOOTHING` rows of metrics first reached it (`hours_to_human`; None: never). None for
    other environments. `rows` have `samples`, the steps so far, and some `episodes/return`.
    """
    scores = reference_scores(env) if env.startswith("ALE/") else None
    if scores is None or not rows:
        return None
    played = [(row["samples"], row["episodes/return"]) for row in rows if "episodes/return" in row]
    hours_to_human = None
    for end in range(SMOOTHING, len(played) + 1):
        if np.mean([earned for _, earned in played[end - SMOOTHING : end]]) >= scores.target:
            hours_to_human = played[end - 1][0] / STEPS_PER_HOUR
            break
    hours = max(row.get("samples", 0) for row in rows) / STEPS_PER_HOUR
    return {"hours": hours, "human_return": scores.target, "hours_to_human": hours_to_human}


def play_time_rows(times: Mapping[str, float | None]) -> list[tuple]:
    """Rows below a table of returns: the human's, and hours of play."""
    reached = times["hours_to_human"]
    human = "not reached" if reached is None else format_hours(reached)
    return [
        ("a human, as published", f"{times['human_return']:,.1f}", "", "", ""),
        ("hours of play", format_hours(times["hours"]), "", "", ""),
        ("hours to a human's level", human, "", "", ""),
    ]


def play_time_cells(env: str, times: Sequence[Mapping[str, float | None]]) -> dict[str, str]:
    """Cells of a comparison for the runs of one system in an Atari game: means, and how many runs reached the human."""
    if not times:
        return {}
    reached = [hours for each in times if (hours := each["hours_to_human"]) is not None]
    human = format_hours(np.mean(reached)) if reached else "not reached"
    return {
        f"{env}, hours of play": format_hours(np.mean([each["hours"] for each in times])),
        f"{env}, hours to a human's level": f"{human} ({len(reached)} of {len(times)})",
    }


def format_hours(hours: float) -> str:
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.2f}"
