"""Labels spread along the moons, in small; and what the system's parts must do, each with a known answer."""

import warnings

import pytest
import torch

from caudex.cli.main import main
from caudex.core.run import Run
from caudex.core.system import load, save_model, system_at_scale, write_settings
from caudex.systems.few_labels.two_moons import JitteredPoints, TwoMoons, probabilities, spread_labels


def train_system(system, folder):
    run = Run(folder, system.seed)
    run.quiet = True
    write_settings(system, run)
    model = system.train(run)
    save_model(model, run)
    return model, run


def test_tiny_trains_draws_and_loads(tmp_path):
    model, run = train_system(system_at_scale("two-moons", "tiny"), tmp_path / "run")
    assert set(run.read_json("results")) == {"supervised", "label spreading", "noisy student"}
    assert (run.path / "figures/boundaries.png").read_bytes().startswith(b"\x89PNG")
    assert {folder.name for folder in (run.path / "stages").iterdir()} == {"supervised", "student-1", "student-2"}
    points = torch.randn(20, 2)
    assert torch.equal(probabilities(load(run.path), points), probabilities(model, points))


def test_students_follow_the_gap_where_the_supervised_net_does_not(tmp_path):
    _, run = train_system(TwoMoons(seed=103, points=300, rounds=8, steps=100), tmp_path / "run")
    right = run.read_json("results")
    assert right["noisy student"] > 0.97 > right["supervised"] + 0.04
    assert right["label spreading"] > 0.97


def test_five_labels_in_each_moon_and_the_same_ones_again():
    points, labels, test, truth = TwoMoons(seed=3).moons()
    assert points.shape == test.shape == (500, 2) and [(labels == k).sum() for k in (-1, 0, 1)] == [490, 5, 5]
    assert points[labels == 0, 1].mean() > points[labels == 1, 1].mean()  # moon 0 is the upper one
    assert torch.equal(TwoMoons(seed=3).moons()[1], labels) and not torch.equal(TwoMoons(seed=4).moons()[1], labels)
    assert truth.float().mean() == 0.5 and not torch.equal(test, points)


def test_label_spreading_knows_nothing_far_away_and_says_so_silently():
    points, labels, _, _ = TwoMoons().moons()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probabilities = spread_labels(points, labels)(
            torch.tensor([[0.0, 1.0], [1.0, -0.5], [50.0, 50.0], [-1e6, 3.0]])
        )
    assert probabilities[0] < 0.5 < probabilities[1] and probabilities[2:].tolist() == [0.5, 0.5]


def test_jitter_follows_from_seed_and_number():
    points, probabilities = torch.randn(10, 2), torch.eye(2).repeat(5, 1)
    source, again = (
        JitteredPoints(points, probabilities, 0.1, seed=7),
        JitteredPoints(points, probabilities, 0.1, seed=7),
    )
    batches = [next(source) for _ in range(3)]
    again.load_state_dict({"drawn": 2})
    assert torch.equal(next(again).points, batches[2].points) and again.state_dict() == source.state_dict()
    still = next(JitteredPoints(points, probabilities, 0.0, seed=7))
    rows = (still.points[:, None] == points).all(2).float().argmax(1)
    assert torch.equal(still.points, points[rows]) and torch.equal(still.labels, probabilities[rows])


def test_bad_settings_get_a_sentence_and_no_folder(tmp_path, capsys):
    for flags, words in {
        "--also rotation": "it needs unlabelled images, which this system has not",
        "--points 10": "between 20 and 5000",
        "--jitter -1": "--jitter -1 is out of range",
    }.items():
        with pytest.raises(SystemExit) as end:
            main(["train", "two-moons", "--run", str(tmp_path / "run"), *flags.split()])
        captured = capsys.readouterr()
        assert end.value.code == 2 and words in captured.err and captured.err.count("\n") == 1
        assert captured.out == "" and not (tmp_path / "run").exists()
