"""A run folder from a stranger: whatever is in it ends in one sentence, and nothing outside of it is read or written."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.cli_runs import SMALL
from helpers.command_line import CAUDEX, run_cli
from helpers.hostile_runs import ODD_TENSORS, Canary, damages, files_of, read_run, reads_of, rehash, unfinish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image

from caudex.core.errors import CaudexError
from caudex.core.run import Run
from caudex.core.system import open_run

TRAININGS = {
    "classifier": ("train", "noisy-student", *SMALL, "--steps", "4", "--width", "4", "--rounds", "1", "--no-baseline"),
    "agent": ("train", "dqn", *SMALL, "--total-steps", "600", "--learning-starts", "100"),
    "language model": ("train", "gpt", *SMALL, "--steps", "4", "--tokenizer", "characters"),
    "claim": ("claim", "two-moons", *SMALL, "--steps", "4", "--seeds", "2"),
}


@pytest.fixture(scope="session")
def real_runs(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("real")
    runs = {name: run_cli(*words, "--run", folder / name.replace(" ", "-")).run for name, words in TRAININGS.items()}
    Image.new("L", (9, 9)).save(folder / "image.png")
    return runs


@pytest.fixture
def canary(tmp_path) -> Canary:
    return Canary(tmp_path / "canary")


def copy_run(run: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    return Path(shutil.copytree(run, place))


def test_undamaged_runs_are_read(real_runs, tmp_path):
    for name, original in real_runs.items():
        run = copy_run(original, tmp_path / "run")
        commands = reads_of(name, run, original.parent / "image.png")
        resume = commands.pop("resume")
        for words in commands.values():
            assert read_run(words, draws=False)[0].code == 0
        unfinish(run)
        output, _ = read_run(resume, draws=False)
        assert output.code == 0 if name == "claim" else output is None


@given(some.data())
@settings(max_examples=90, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_damaged_run_ends_in_one_sentence_and_touches_nothing_else(real_runs, canary, tmp_path, data):
    name = data.draw(some.sampled_from(list(real_runs)))
    damage = data.draw(damages(files_of(real_runs[name])))
    run = copy_run(real_runs[name], tmp_path / "run")
    commands = reads_of(name, run, real_runs[name].parent / "image.png")
    command = data.draw(some.sampled_from(list(commands)))
    if command == "resume" and name != "claim":
        unfinish(run)
    try:
        damage.apply(run)
    except FileNotFoundError:  # what was to be damaged went with what is not finished
        return
    output, seconds = read_run(commands[command], draws="metrics" in damage.text or ".csv" in damage.text)
    assert canary.is_untouched(), damage.text
    assert seconds < 5, damage.text
    if output is not None:
        assert output.code in (0, 1, 2)
        assert "a secret" not in output.out + output.err
        assert output.code == 0 or output.err.splitlines()[-1].startswith("caudex: "), output
        report = run / "report.html"
        assert report.is_symlink() or not report.is_file() or "YSBzZWNyZXQK" not in report.read_text()


LINKED = {
    "its checkpoints": ("agent", "stages/training/checkpoints", "", "resume"),
    "its metrics": ("agent", "stages/training/metrics.jsonl", "file.txt", "report"),
    "its replay buffer": ("agent", "stages/training/replay", "", "resume"),
    "its stages": ("agent", "stages", "", "report"),
    "its settings": ("agent", "settings.json", "file.txt", "play"),
    "a figure": ("classifier", "figures/x.png", "file.txt", "report"),
    "a page written aside": ("classifier", ".report.html.aside", "file.txt", "report"),
    "its weights": ("classifier", "model.safetensors", "file.txt", "predict"),
    "the seeds of a claim": ("claim", "stages/seed-0", "seed-0", "resume"),
}


@pytest.mark.parametrize("what", LINKED)
def test_links_of_a_strangers_run_lead_nowhere(real_runs, canary, tmp_path, what):
    """By the command line, in a process of its own."""
    name, place, target, command = LINKED[what]
    run = copy_run(real_runs[name], tmp_path / "run")
    unfinish(run) if command == "resume" else None
    path = run / place
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(canary.folder / target)
    words = [run, real_runs[name].parent / "image.png"] if command == "predict" else [run]
    process = subprocess.run([*CAUDEX, command, *words], capture_output=True, text=True, timeout=120)
    assert canary.is_untouched()
    if what == "a page written aside":
        assert process.returncode == 0 and (run / "report.html").is_file()
    else:
        assert process.returncode == 2
        assert process.stderr == (
            f"caudex: {path} is a link, which is not followed inside a run folder; remove it, or put a copy of the file there.\n"
        )


def lying_state(run: Path) -> None:
    (state,) = run.glob("stages/training/checkpoints/*/state.json")
    state.with_name("weights.safetensors").write_bytes(ODD_TENSORS[3])
    rehash(state)


DAMAGED = {
    "a row without a step": (
        "metrics.jsonl, line 1 is not as caudex wrote it",
        "report",
        lambda run: next(run.glob("stages/*/metrics.jsonl")).write_text("{}\n"),
    ),
    "50,000 brackets": (
        "is not readable JSON",
        "report",
        lambda run: (run / "results.json").write_text('{"a":' * 50_000),
    ),
    "tensors that lie": ("weights.safetensors holds no tensors as caudex wrote them", "resume", lying_state),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_run_ends_in_one_sentence(real_runs, tmp_path, what):
    """By the command line, in a process of its own."""
    because, command, damage = DAMAGED[what]
    run = copy_run(real_runs["agent"], tmp_path / "run")
    unfinish(run) if command == "resume" else None
    damage(run)
    process = subprocess.run([*CAUDEX, command, run], capture_output=True, text=True, timeout=120)
    assert process.returncode == 2 and because in process.stderr
    assert process.stderr.startswith("caudex: ") and process.stderr.count("\n") == 1


@given(some.data())
@settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck))
def test_a_file_that_holds_something_else_is_not_as_if_it_were_absent(real_runs, tmp_path, data):
    """The command shows what it would have shown, so that it does not read the file, or its sentence names it."""
    original, run = real_runs[data.draw(some.sampled_from(list(real_runs)))], tmp_path / "run"
    files = [file for file in files_of(original) if file.endswith((".json", "metrics.jsonl"))]
    file = data.draw(some.sampled_from(files))
    words = data.draw(some.sampled_from([("report", run), ("compare", run, original)]))
    outputs = []
    for content in (None, data.draw(some.sampled_from(["null", "0", "[]", '""', "true"]))):
        copy_run(original, run)
        if content:
            (run / file).write_text(content)
        output, _ = read_run(words, draws=False)
        outputs.append((output, (run / "report.html").read_text()))
    assert outputs[0] == outputs[1] or outputs[1][0].err.startswith(f"caudex: {run / file}"), outputs[1][0]


def test_odd_names_of_checkpoints_are_none(real_runs, tmp_path):
    run = copy_run(real_runs["agent"], tmp_path / "run")
    checkpoint = next(run.glob("stages/training/checkpoints/*"))
    for name in ("1²", "٣", "-1"):
        shutil.copytree(checkpoint, checkpoint.with_name(name))
    assert [path.name for path in Run(run).stage("training").checkpoints] == [checkpoint.name]


@pytest.mark.parametrize("also", [[1], 1, "rotation", None, {"a": 1}])
def test_settings_are_of_their_types(real_runs, tmp_path, also):
    run = copy_run(real_runs["classifier"], tmp_path / "run")
    content = json.loads((run / "settings.json").read_text())
    (run / "settings.json").write_text(json.dumps(content | {"settings": content["settings"] | {"also": also}}))
    with pytest.raises(CaudexError, match=r"settings\.json is not as caudex wrote it \(also is "):
        open_run(run)
