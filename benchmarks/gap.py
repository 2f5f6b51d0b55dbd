"""What learning from images costs, what contrast wins back, and why something remains (after Laskin et al. 2020, appendix E.5).

    python benchmarks/gap.py train runs/gap --steps 15000 --seeds 0 1           # --tasks A B to share the work
    python benchmarks/gap.py state runs/gap --steps 15000 --seeds 0 1           # which numbers an image tells
    python benchmarks/gap.py table runs/gap --steps 15000 --seeds 0 1
    python benchmarks/gap.py parts runs/gap --steps 15000 --seeds 0 1 --tasks point-mass    # curl with each part otherwise

`train`: SAC from the state, SAC from images, and curl, as many steps in each of our control tasks; what is done is not
done again. `state`: frames of episodes, half by the policy that sees the state and half at random, to the state they
show, by supervised regression; errors, over the variance, on episodes of other seeds. `table` writes results/gap.csv,
results/gap-correlation.csv and docs/gap.png, with the rank correlation of error and gap. `parts`: other views, the
cosine, keys from the trunk itself, and contrast or moved views alone; writes results/curl-parts.csv.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor
from torch.optim import AdamW

from caudex import envs
from caudex.core.fit import fit
from caudex.core.learner import Learner, cosine_schedule
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.core.system import System, load, save_model, write_settings
from caudex.envs.control.suite import TASKS
from caudex.experience import EnvRunner
from caudex.signals import Regression
from caudex.systems.reward.curl import CURL, LAYERS
from caudex.systems.reward.sac import SAC
from caudex.trunks import NatureCNN

ARMS = {
    "state": lambda task, steps, seed: SAC(
        env=f"control/{task}",
        total_steps=steps,
        seed=seed,
        num_envs=1,
        batch=CURL.batch,
        lr=CURL.lr,
        temperature=CURL.temperature,
        n_step=CURL.n_step,
    ),
    "images": lambda task, steps, seed: CURL(
        env=f"pixels/{task}", total_steps=steps, seed=seed, contrast_weight=0.0, max_shift=0
    ),
    "curl": lambda task, steps, seed: CURL(env=f"pixels/{task}", total_steps=steps, seed=seed),
}
PARTS = {
    "curl": {},
    "cosine": {"bilinear": False},
    "keys of the trunk itself": {"momentum": 0.0},
    "views blurred": {"view": "blur"},
    "views with noise": {"view": "noise"},
    "views with a hidden square": {"view": "cutout"},
    "views that differ in nothing": {"max_shift": 0},
    "moved views, no contrast": {"contrast_weight": 0.0},
    "neither": {"contrast_weight": 0.0, "max_shift": 0},
}
NUM_ENVS, EPISODES = 20, 12  # environments, and episodes of each, that frames are taken from
KINDS = ("position", "velocity", "contact", "target", "hidden")


class StateFrames(NamedTuple):
    observations: Tensor  # uint8 [N, 3, H, W]
    numbers: Tensor  # [N, S]


def train(folder: Path, tasks: list[str], steps: int, seeds: list[int]) -> None:
    for seed in seeds:
        for task in tasks:
            for name, make_system in ARMS.items():
                system = make_system(task, steps, seed)
                print(task, seed, name, round(train_once(system, folder / f"{name}-{task}-{seed}"), 1))


def train_once(system: System, folder: Path) -> float:
    """The mean return after training; a finished run is not trained again."""
    run = Run(folder, system.seed)
    if not run.read_json("results"):
        write_settings(system, run)
        save_model(system.train(run), run)
    return run.read_json("results")["policy"]["return"]


def parts(folder: Path, tasks: list[str], steps: int, seeds: list[int], names: list[str]) -> None:
    """Rows of other tasks and parts in the file stay."""
    trained_arms = {"curl": "curl", "neither": "images"}  # by `train`
    file = Path("results/curl-parts.csv")
    _, *rows = csv.reader(file.open()) if file.exists() else [()]
    rows = {tuple(row[:2]): row for row in rows}
    for task in tasks:
        for name in names:
            returns = [
                train_once(
                    CURL(env=f"pixels/{task}", total_steps=steps, seed=seed, **PARTS[name]),
                    folder / f"{trained_arms.get(name, name.replace(' ', '-'))}-{task}-{seed}",
                )
                for seed in seeds
            ]
            rows[task, name] = (task, name, *(round(x, 1) for x in returns), round(float(np.mean(returns)), 1))
            print(*rows[task, name], flush=True)
    with file.open("w", newline="") as output:
        header = ("task", "curl with", *(f"seed {seed}" for seed in seeds), "mean")
        csv.writer(output, lineterminator="\n").writerows([header, *rows.values()])


def collect_frames(task: str, agent, seed: int) -> StateFrames:
    """Frames and states, half of the environments under the policy that sees the state, half at random."""
    env = envs.make(f"pixels/{task}", NUM_ENVS)
    runner, generator, frames, numbers = EnvRunner(env, seed, CURL.frame_stack), np.random.default_rng(seed), [], []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        while len(frames) < 200 * EPISODES:
            frames.append(runner.observations.copy())
            numbers.append(env.states.copy())
            actions = generator.uniform(-1, 1, (NUM_ENVS, *env.action_space.shape)).astype(np.float32)
            actions[: NUM_ENVS // 2] = agent.act(env.states[: NUM_ENVS // 2], greedy=False)
            runner.step(actions)
    return StateFrames(torch.from_numpy(np.concatenate(frames)), torch.from_numpy(np.concatenate(numbers)))


def batches(frames: StateFrames, seed: int, size: int = 128) -> Iterator[StateFrames]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        rows = torch.randint(len(frames.numbers), (size,), generator=generator)
        yield StateFrames(frames.observations[rows], frames.numbers[rows])


def regress(folder: Path, task: str, seed: int, steps: int = 1500) -> dict[str, float]:
    """Errors divided by the variance, by kind of number, on episodes of other seeds; constant numbers are left out."""
    agent = load(folder / f"state-{task}-{seed}")
    train_frames, test_frames = (
        collect_frames(task, agent, derive_seed(seed, "regression", part)) for part in ("train", "test")
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        signal = Regression(train_frames.numbers.mean(0), train_frames.numbers.std(0))
        trunk = NatureCNN(tuple(train_frames.observations.shape[1:]), 256, LAYERS)
        learner = Learner(trunk, {"state": signal}, partial(AdamW, lr=1e-3, fused=True), cosine_schedule)
        fit(learner, {"state": batches(train_frames, seed)}, steps=steps)
    learner.eval()
    with torch.inference_mode():
        parts = zip(test_frames.observations.split(1000), test_frames.numbers.split(1000))
        errors = torch.cat([signal.errors(learner.trunk, *part) for part in parts]).mean(0)
    env = envs.make(f"pixels/{task}", 1)
    kinds = [
        "hidden" if name in env.hidden_components else kind
        for name, kind in zip(env.component_names, env.component_kinds)
    ]
    by_kind = {kind: [float(e) for e, k in zip(errors, kinds) if k == kind] for kind in KINDS}
    return {kind: float(np.mean(values)) for kind, values in by_kind.items() if values} | {"all": float(errors.mean())}


def state(folder: Path, tasks: list[str], seeds: list[int]) -> None:
    for seed in seeds:
        for task in tasks:
            file = folder / f"regression-{task}-{seed}.json"
            if not file.exists():
                file.write_text(json.dumps(regress(folder, task, seed)))
                print(task, seed, file.read_text(), flush=True)


def learning_curve(run: Run) -> np.ndarray:
    """[K, 2]: steps of the environment, and the mean return of the episodes that ended about then, over five rows."""
    if not run.read_json("results"):
        return np.empty((0, 2))
    rows = [row for row in run.stage("training").metrics() if "episodes/return" in row]
    points = np.array([(row["samples"], row["episodes/return"]) for row in rows])
    width = min(5, len(points))
    points[:, 1] = np.convolve(np.pad(points[:, 1], (width - 1, 0), "edge"), np.ones(width) / width, "valid")
    return points


def steps_to_return(curve: np.ndarray, target: float) -> float:
    """Steps until the curve reaches the target; infinite where it does not."""
    reached = np.flatnonzero(curve[:, 1] >= target)
    return float(curve[reached[0], 0]) if len(reached) else np.inf


def ranks(values: np.ndarray) -> np.ndarray:
    """Of equal values the mean rank."""
    return np.array([((values < v).sum() + (values <= v).sum() + 1) / 2 for v in values])


def correlation(x: np.ndarray, y: np.ndarray, draws: int = 100_000) -> tuple[float, float]:
    """Spearman's rank correlation, and how often a random pairing has one as far from zero."""
    a, b = (ranks(v) - ranks(v).mean() for v in (x, y))
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    shuffled = np.random.default_rng(0).permuted(np.tile(b, (draws, 1)), axis=1) @ a
    return float(a @ b), float((1 + (np.abs(shuffled) >= abs(a @ b) - 1e-12).sum()) / (draws + 1))


def mean_return(run: Run) -> float:
    """Of the trained policy; NaN for a run that was not trained."""
    results = run.read_json("results")
    return results["policy"]["return"] if results else np.nan


def table(folder: Path, tasks: list[str], seeds: list[int]) -> None:
    rows, errors, gaps = [], [], []
    for task in tasks:
        seed_errors = [json.loads((folder / f"regression-{task}-{seed}.json").read_text()) for seed in seeds]
        runs = {name: [Run(folder / f"{name}-{task}-{seed}", seed) for seed in seeds] for name in ARMS}
        returns = {name: [mean_return(run) for run in arm_runs] for name, arm_runs in runs.items()}
        random_return = np.mean([run.read_json("results")["random"]["return"] for run in runs["state"]])
        means = {name: float(np.mean(values)) for name, values in returns.items()}
        halves = [random_return + (means["state"] - random_return) / 2] * len(seeds)
        times = {
            name: [steps_to_return(learning_curve(run), half) for run, half in zip(arm_runs, halves)]
            for name, arm_runs in runs.items()
        }
        gap = 1 - (means["curl"] - random_return) / (means["state"] - random_return)
        error = {kind: float(np.mean([error[kind] for error in seed_errors])) for kind in seed_errors[0]}
        rows.append((task, random_return, means, returns, times, gap, error))
        errors.append(error), gaps.append(gap)
    with Path("results/gap.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        arms = [f"{name}{column}" for name in ARMS for column in ("", " by seed", " steps to half")]
        writer.writerow(("task", "random", *arms, "gap of curl", *(f"error {kind}" for kind in (*KINDS, "all"))))
        for task, random_return, means, returns, times, gap, error in rows:
            cells = [
                cell
                for name in ARMS
                for cell in (
                    round(means[name], 1),
                    " ".join(f"{x:.1f}" for x in returns[name]),
                    " ".join(f"{x:.0f}" for x in times[name]),
                )
            ]
            error_cells = [round(error[kind], 4) if kind in error else "" for kind in (*KINDS, "all")]
            writer.writerow((task, round(random_return, 1), *cells, round(gap, 3), *error_cells))
    correlations = []
    for kind in ("all", "position", "velocity"):
        pairs = [(error[kind], gap) for error, gap in zip(errors, gaps) if kind in error]
        rho, p = correlation(*map(np.array, zip(*pairs)))
        correlations.append((kind, len(pairs), round(rho, 2), round(p, 4)))
        print(f"error of {kind} and gap, {len(pairs)} tasks: rank correlation {rho:.2f}, p {p:.4f}")
    with Path("results/gap-correlation.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("error of", "tasks", "spearman", "permutation p"), *correlations]
        )
    plot_gap(rows, correlations)


def plot_gap(rows: list[tuple], correlations: list[tuple]) -> None:
    """Left the return of each task as a share of that of SAC from the state, right the gap against the errors of regression."""
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
    figure, (bars, *panels) = plt.subplots(
        1, 3, figsize=(13, 4.2), dpi=110, layout="constrained", width_ratios=[1.3, 1, 1]
    )
    rows = sorted(rows, key=lambda row: row[5])
    positions = np.arange(len(rows))
    for shift, (name, label, colour) in enumerate(
        (("curl", "curl", "tab:green"), ("images", "without contrast or moved views", "tab:gray"))
    ):
        shares = [
            (means[name] - random_return) / (means["state"] - random_return) for _, random_return, means, *_ in rows
        ]
        bars.barh(positions + 0.2 - 0.4 * shift, shares, 0.38, color=colour, label=label)
    bars.axvline(1, color="black", linewidth=1, linestyle=":")
    bars.set_yticks(positions, [task for task, *_ in rows])
    bars.set_xlabel("return, from acting at random (0) to SAC from the state (1)")
    figure.legend(*bars.get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False)
    for axis, (kind, count, rho, p) in zip(panels, (row for row in correlations if row[0] in ("all", "velocity"))):
        for task, _, _, _, _, gap, error in rows:
            axis.scatter(error[kind], gap, color="tab:red" if "hidden" in error else "tab:blue")
            axis.annotate(task, (error[kind], gap), xytext=(4, 3), textcoords="offset points", size=7)
        axis.set_title(f"{count} tasks: rank correlation {rho}, p {p}", size=9, loc="left")
        axis.set(xlabel=f"error of regression, {'all numbers' if kind == 'all' else kind}", xscale="log")
    panels[0].set_ylabel("gap of curl to the state; red: something is hidden")
    figure.savefig("docs/gap.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "state", "table", "parts"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=15000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="of `parts`: these alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.what == "train":
        train(arguments.folder, arguments.tasks, arguments.steps, arguments.seeds)
    elif arguments.what == "parts":
        parts(arguments.folder, arguments.tasks, arguments.steps, arguments.seeds, arguments.parts)
    else:
        {"state": state, "table": table}[arguments.what](arguments.folder, arguments.tasks, arguments.seeds)


if __name__ == "__main__":
    main()
