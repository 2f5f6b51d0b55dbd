"""Tables for the screen and the report; the first row is the header."""

from __future__ import annotations

from caudex.core.run import Run
from caudex.evaluation.verdicts import format_difference, format_mean, format_verdict, table_notes

INTERVAL_NOTE = "± is half the 95% interval over the seeds; gains are paired by seed."


def claim_table(claim: dict) -> list[tuple]:
    """Scores and baselines with intervals and verdicts, a row for each value of the varied setting and each baseline; then
    the controls, held against the first baseline, and the extra metrics."""
    setting, number_format = claim.get("setting", "").replace("_", " "), claim.get("number_format", ".2%")
    unit = ", points" if number_format.endswith("%") else ""
    rows = [((setting,) if setting else ()) + (claim["system"], "baseline", "baseline score", f"gain{unit}", "verdict")]
    for part in claim.get("values", [claim]):
        score = format_mean(part["mean"], part["interval"], number_format)
        first_cells = ((f"{part['value']:g}",) if setting else ()) + (score,)

        def add_row(name: str, mean: dict, gain: str = "", verdict: str = "") -> None:
            nonlocal first_cells
            is_count = number_format.endswith("%") and abs(mean["mean"]) > 2  # such as parameters, among accuracies
            form = ",.4g" if is_count else number_format
            rows.append((*first_cells, name, format_mean(mean["mean"], mean["interval"], form), gain, verdict))
            first_cells = ("",) * len(first_cells)

        for name, baseline in part["baselines"].items():
            gain = format_difference(baseline["gain"], baseline["gain_interval"], number_format).removesuffix(" points")
            gain += "" if baseline["gain_interval"] or len(claim["seeds"]) > 1 else " (one seed)"
            add_row(name, baseline, gain, format_verdict(baseline, number_format))
        for name, control in part.get("controls", {}).items():
            add_row(f"control: {name}", control, verdict="beats the first" if control["verdict"] == "better" else "")
        for name, metric in part.get("extra_metrics", {}).items():
            add_row(name, metric)
    return rows


def claim_verdict(claim: dict) -> str:
    """In a few words: better or worse than what, or not shown; refused where a control won."""
    verdict = claim.get("verdict", "better" if claim["shown"] else "not shown")
    if claim.get("refused"):
        return "refused"
    part = claim.get("values", [claim])[0]
    words = f"{verdict} than {next(iter(part['baselines']))}" if verdict != "not shown" else verdict
    if "values" in claim:
        words += f" for every {claim['setting'].replace('_', '-')}"
    return words


def claim_notes(claim: dict) -> list[str]:
    """Sentences below the table of a claim: how it is to be read, and what weakens it."""
    gains = [gain for part in claim.get("values", [claim]) for gain in part["baselines"].values() if "verdict" in gain]
    notes = [INTERVAL_NOTE, *table_notes(gains)]
    if trials := claim.get("values", [claim])[0].get("tuning_trials"):
        notes.append(f"{max(trials.values())} settings were tried for each arm, on other seeds than these.")
    if claim.get("provisional"):
        notes.append(f"Provisional: {len(claim['seeds'])} of the five seeds that a claim should have.")
    return notes


def is_finished(run: Run) -> bool:
    """Whether a training, or a claim, has ended."""
    return any(run.read_json(name) is not None for name in ("finished", "claim"))
