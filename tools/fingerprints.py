"""Compare what two worktrees compute, bit for bit: weights, metrics, results, predictions and a resume of every system.

    python tools/fingerprints.py record WORKTREE FILE [--jobs 2] [--only NAME ...]
    python tools/fingerprints.py compare FILE FILE

Both recordings must be made on one machine with the same packages. Only values are compared, in order, so that names may
change between the worktrees. `compare` ends with 1 where something differs.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import numpy as np

EXACT_FLAGS = {"a3c": ["--no-asynchronous"]}
"""flags that make a system exact"""
PREDICT_IMAGES = [["predict", "{run}", "{images}", "--csv", "{csv}"]]
PLAY = [["play", "{run}", "--episodes", "3"]]
GENERATE = [["generate", "{run}", "First Citizen", "--max-tokens", "20"]]
FILL = [["fill", "{run}", "to be or not to [MASK] that is the question"]]
PREDICTIONS = {
    **dict.fromkeys(("noisy-student", "supervised", "two-heads"), PREDICT_IMAGES),
    **dict.fromkeys(("dqn", "double-dqn", "rainbow", "a3c", "ppo", "trpo", "ddpg", "sac", "curl", "locomotion"), PLAY),
    "gpt": GENERATE,
    "bert": FILL,
    "text-labels": [["predict", "{run}", "{texts}", "--csv", "{csv}"]],
    "rl2": [["meta-test", "{run}", "--tasks", "20"]],
}
"""commands whose printed figures belong to the fingerprint"""
STARTS_FROM = {"probe": ("rotation", ["--width", "8"]), "text-labels": ("bert", [])}
"""what is trained first, and flags for its size, for a system that begins with another's trunk"""
HASH_TENSORS = """
import hashlib, sys, caudex
for tensor in caudex.load(sys.argv[1]).state_dict().values():
    head = f"{tensor.dtype} {tuple(tensor.shape)} ".encode()
    print(hashlib.sha256(head + tensor.contiguous().numpy().tobytes()).hexdigest())
"""


def system_names(worktree: Path) -> list[str]:
    """Every system of the worktree: a file with a class of its name."""
    names = []
    for file in sorted((worktree / "src/caudex/systems").rglob("*.py")):
        classes = re.findall(r"^class (\w+)", file.read_text(), re.MULTILINE)
        if file.stem.replace("_", "") in map(str.lower, classes):
            names.append(file.stem.replace("_", "-"))
    return names


class Recorder:
    """Runs the command line of one worktree in a folder of its own."""

    def __init__(self, worktree: Path, folder: Path):
        self.folder = folder
        self.module = "caudex" if (worktree / "src/caudex/__main__.py").exists() else "caudex.cli"
        self.env = os.environ | {
            "PYTHONPATH": str(worktree / "src"),
            "MPLBACKEND": "Agg",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "160",
            "CAUDEX_CACHE": str(folder / "cache"),  # what one worktree builds there is not for the other to read
        }
        (folder / "cache").mkdir()
        cache = Path(os.environ.get("CAUDEX_CACHE") or Path.home() / ".cache/caudex").expanduser()
        for fetched in ("archives", "texts"):
            (folder / "cache" / fetched).symlink_to(cache.resolve() / fetched)
        images = folder / "images"
        images.mkdir()
        write_images(images)
        (folder / "texts.txt").write_text("a dull and lifeless film, badly acted\n")

    def python(self, *words: object) -> subprocess.Popen:
        command = [sys.executable, *map(str, words)]
        return subprocess.Popen(
            command, env=self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def caudex(self, *words: object) -> str:
        process = self.python("-m", self.module, *words)
        text = process.communicate()[0]
        if process.returncode:
            raise RuntimeError(f"{' '.join(map(str, words))} ended with {process.returncode}:\n{text[-2000:]}")
        return text

    def tensors(self, run: Path) -> list[str]:
        process = self.python("-c", HASH_TENSORS, run)
        text = process.communicate()[0]
        if process.returncode:
            raise RuntimeError(f"{run} does not load:\n{text[-2000:]}")
        return text.split()

    def record(self, system: str) -> dict:
        started = time.perf_counter()
        run = self.folder / system
        common = ["--scale", "tiny", "--device", "cpu", "--threads", "1", *EXACT_FLAGS.get(system, [])]
        if system in STARTS_FROM:
            trunk = self.folder / f"start-of-{system}"
            start, size = STARTS_FROM[system]
            self.caudex("train", start, "--run", trunk, *common)
            common += ["--start", str(trunk), *size]
        self.caudex("train", system, "--run", run, *common)
        fingerprint = {"tensors": self.tensors(run), **folder_numbers(run)}
        fingerprint["predictions"] = self.predictions(system, run)
        fingerprint["resumed equals whole"] = self.resume(system, common) == fingerprint["tensors"]
        claim = self.folder / f"claim-{system}"
        self.caudex("claim", system, "--seeds", "1", "--run", claim, *common)
        fingerprint["claim"] = folder_numbers(claim)
        for path in (run, claim, self.folder / f"resumed-{system}"):
            shutil.rmtree(path)
        print(f"{system}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        return fingerprint

    def predictions(self, system: str, run: Path) -> list[str]:
        table, numbers = self.folder / f"{system}.csv", []
        paths = {"run": run, "images": self.folder / "images", "texts": self.folder / "texts.txt", "csv": table}
        for words in PREDICTIONS.get(system, []):
            text = self.caudex(*(word.format(**paths) for word in words))
            if table.exists():
                text = table.read_text()
            text = text.replace(str(self.folder), "")
            numbers += re.findall(r"-?\d[\d.,]*", text) if system != "gpt" else [text]
        return numbers

    def resume(self, system: str, common: list[str]) -> list[str]:
        """The tensors of a training that was killed once its first checkpoints stood there, and then resumed."""
        run = self.folder / f"resumed-{system}"
        process = self.python("-m", self.module, "train", system, "--run", run, *common, "--save-seconds", "0.001")
        while process.poll() is None:
            if any(run.rglob("checkpoints/*/state.json")):
                time.sleep(0.3)
                process.send_signal(signal.SIGKILL)
            time.sleep(0.05)
        process.communicate()
        if not (run / "finished.json").exists():
            self.caudex("resume", run)
        return self.tensors(run)


def write_images(folder: Path) -> None:
    from PIL import Image

    generator = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(generator.integers(0, 255, (32, 32), np.uint8)).save(folder / f"{number}.png")


def folder_numbers(run: Path) -> dict:
    """Everything in a run folder that two runs of one program share: no names, no times, no paths."""
    content: dict = {"checkpoints": [], "metrics": [], "results": [], "tables": []}
    for file in sorted(run.rglob("*")):
        if file.suffix == ".safetensors" and "replay" not in file.parts:
            content["checkpoints"] += tensor_hashes(file)
        elif file.name == "metrics.jsonl":
            content["metrics"] += [list(numbers_in(json.loads(line))) for line in file.read_text().splitlines()]
        elif file.name in ("results.json", "claim.json"):
            timeless = {
                k: v
                for k, v in json.loads(file.read_text()).items()
                if k not in ("seconds", "command", "measured_with")
            }
            content["results"] += list(numbers_in(timeless))
        elif file.suffix == ".csv":
            rows = list(csv.reader(file.open()))[1:]
            content["tables"] += [cell for row in rows for cell in row if re.fullmatch(r"-?\d[\d.e-]*", cell)]
    content["checkpoints"].sort()
    return content


def numbers_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from numbers_in(part)
    elif isinstance(value, (int, float)):
        yield repr(value)


def tensor_hashes(file: Path) -> list[str]:
    """Of each tensor in a safetensors file, without its name."""
    content = file.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    hashes = []
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            body = f"{entry['dtype']} {entry['shape']} ".encode() + content[8 + size + start : 8 + size + end]
            hashes.append(hashlib.sha256(body).hexdigest())
    return hashes


def record(worktree: Path, file: Path, jobs: int, only: list[str]) -> None:
    """Systems that stand in the file already are not run again."""
    recorded = json.loads(file.read_text()) if file.exists() else {}
    names = [name for name in only or system_names(worktree) if name not in recorded]
    failed = {}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        recorder = Recorder(worktree.resolve(), Path(folder))
        jobs_by_future = {pool.submit(recorder.record, name): name for name in names}
        for future in as_completed(jobs_by_future):
            try:
                recorded[jobs_by_future[future]] = future.result()
            except RuntimeError as error:
                failed[jobs_by_future[future]] = error
            file.write_text(json.dumps(recorded, indent=0) + "\n")
    for name, error in failed.items():
        print(f"{name} failed: {error}")
    broken = [name for name, fingerprint in recorded.items() if not fingerprint["resumed equals whole"]]
    print(f"{len(recorded)} systems are recorded in {file}.")
    if broken:
        print(f"Resumed to something else: {', '.join(broken)}.")
    if failed:
        raise SystemExit(1)


def compare(first: Path, second: Path) -> int:
    """The number of systems that differ; each difference is printed."""
    recordings = [json.loads(file.read_text()) for file in (first, second)]
    names = [name for name in recordings[0] if name in recordings[1]]
    differing = 0
    for name in names:
        parts = [flatten(recording[name]) for recording in recordings]
        different = [key for key in parts[0] if parts[0][key] != parts[1][key]]
        differing += bool(different)
        for key in different:
            a, b = parts[0][key], parts[1][key]
            print(f"{name}: {key} differs ({describe_difference(a, b)})")
    missing = set(recordings[0]) ^ set(recordings[1])
    print(
        f"{len(names) - differing} of {len(names)} systems are equal"
        + (f"; only in one: {sorted(missing)}" if missing else "")
    )
    return differing


def flatten(recorded: dict, path: str = "") -> dict:
    parts = {}
    for key, value in recorded.items():
        parts |= flatten(value, f"{path}{key}/") if isinstance(value, dict) else {path + key: value}
    return parts


def describe_difference(a, b) -> str:
    if not isinstance(a, list) or not isinstance(b, list):
        return f"{a} and {b}"
    if len(a) != len(b):
        return f"{len(a)} and {len(b)} entries"
    indices = [i for i, pair in enumerate(zip(a, b)) if pair[0] != pair[1]]
    return f"{len(indices)} of {len(a)}, the first is number {indices[0]}: {a[indices[0]]} and {b[indices[0]]}"[:300]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    subparsers = parser.add_subparsers(dest="verb", required=True)
    record_parser = subparsers.add_parser("record")
    record_parser.add_argument("worktree", type=Path)
    record_parser.add_argument("file", type=Path)
    record_parser.add_argument("--jobs", type=int, default=2)
    record_parser.add_argument("--only", nargs="*", default=[])
    compare_parser = subparsers.add_parser("compare")
    compare_parser.add_argument("files", type=Path, nargs=2)
    arguments = parser.parse_args()
    if arguments.verb == "record":
        record(arguments.worktree, arguments.file, arguments.jobs, arguments.only)
    else:
        raise SystemExit(min(1, compare(*arguments.files)))


if __name__ == "__main__":
    main()
