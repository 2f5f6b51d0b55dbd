"""One claim from seeds that were measured on several days, or several machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.core.system import open_run
from caudex.evaluation.measure_claim import ClaimPlan, SeedRecord, read_record, seed_folder, seed_folders, write_claim

Piece = tuple[Path, SeedRecord]


def read_pieces(paths: Sequence[Path]) -> list[Piece]:
    """The record of each seed: `paths` are claim.json files of seeds, folders of such files, and folders of claims."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        run = Run(path)
        inside = [
            path / folder / "claim.json" for folder in seed_folders(run) if run.folder.stat(f"{folder}/claim.json")
        ]
        if not inside and run.folder.stat("settings.json"):
            if run.folder.stat("plan.json"):
                raise CaudexError(
                    f"--gather {path} is a claim of which no seed is finished; `caudex resume {path}` goes on with it."
                )
            raise CaudexError(
                f"--gather {path} is a run and no claim; give the folder of a claim, or files of its seeds."
            )
        inside = inside or sorted(path.glob("*.json"))
        if not inside:
            raise CaudexError(f"--gather {path} holds no measured seed; give a claim's folder, or files of its seeds.")
        files += inside
    pieces = [(file, read_record(file.parent, file.stem) if file.suffix == ".json" else None) for file in files]
    for file, record in pieces:
        if record is None:
            raise CaudexError(f"--gather {file}: there is no such file of a seed; a claim has them below its stages/.")
    return pieces


def gather_claim(pieces: Sequence[Piece], run: Run, command: str) -> dict:
    """Copy the pieces into one claim's folder and summarize them."""
    records = [record for _, record in sorted(pieces, key=lambda piece: piece[1].seed)]
    for record in records:
        stage = Run(run.path / seed_folder(record.setting, record.value, record.seed))
        stage.save_settings(record.system, record.settings, is_own=False)  # the pieces may be anybody's
        stage.write_struct("claim", record)
    run.save_settings(records[0].system, records[0].settings, is_own=False)
    system, _ = open_run(run.path)
    seeds = [record.seed for record in records]
    values = dict.fromkeys(f"{record.value:g}" for record in records if record.setting)
    over = f"{records[0].setting}={','.join(values)}" if values else None
    plan = ClaimPlan("as gathered", max(seeds) - min(seeds) + 1, min(seeds), over, command=command)
    run.write_json("plan", asdict(plan))
    return write_claim(system, run, records, plan)


def check_pieces(pieces: Sequence[Piece]) -> None:
    """Raises CaudexError unless all are of one system with the same settings, and each seed stands there once."""
    first_file, first = pieces[0]
    files: dict[tuple, Path] = {}
    seeds_by_value: dict[float | None, set[int]] = {}
    for file, record in pieces:
        if record.system != first.system or record.setting != first.setting:
            raise CaudexError(
                f"{file} is of {describe_claim(record)}, {first_file} of {describe_claim(first)}; gather pieces of one claim."
            )
        for name in first.settings.keys() | record.settings.keys():
            one, other = record.settings.get(name), first.settings.get(name)
            if one != other and name not in ("seed", record.setting):
                raise CaudexError(
                    f"{file} was measured with --{name.replace('_', '-')} {one}, {first_file} with {other}; gather pieces with "
                    "the same settings."
                )
        key = record.value, record.seed
        if key in files:
            raise CaudexError(f"seed {record.seed} stands in {files[key]} and in {file}; give each seed once.")
        files[key] = file
        seeds_by_value.setdefault(record.value, set()).add(record.seed)
    for value, seeds in seeds_by_value.items():
        if missing := set().union(*seeds_by_value.values()) - seeds:
            raise CaudexError(
                f"seed {min(missing)} was not measured with --{first.setting.replace('_', '-')} {value:g}; each value needs the "
                "same seeds."
            )


def describe_claim(record: SeedRecord) -> str:
    return record.system + (f" over {record.setting.replace('_', '-')}" if record.setting else "")
