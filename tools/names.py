"""Refuse names that the field has a better word for, by the table of old and new names, each with its scope; and public
classes, functions and types of one name in several modules of the package.

    python tools/names.py [PATH ...]

Part of `make lint`. Definitions, parameters, attributes, fields (which are flags), and locals are looked at, and string keys
where a rule says so. Ends with 1 and one line for each find.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent


class Rule(NamedTuple):
    """`old` is refused in files whose path matches `scope`, in the roles that `kinds` names."""

    old: str
    new: str
    scope: str = "^(src|tests|benchmarks|tools)/"
    kinds: str = "class function parameter attribute field local"


SRC = "^src/"
REWARD = r"^src/caudex/(systems/(reward|meta)|experience|signals/(q_learning|policy|soft_actor|deterministic))"
SETTINGS = r"^src/caudex/(systems|cli)/"
EVERYWHERE = {
    "Taught": "SignalOutput", "Pictures": "ImageSet", "pictures": "images", "picture": "image", "World": "Env", "worlds": "num_envs or envs",
    "world": "env", "Remembering": "CachedTrunk", "Acting": "EnvRunner", "Lived": "StepResult", "Player": "Agent", "derived": "derive_seed",
    "shorten": "clip_grad_norm", "_agreed": "broadcast_first", "_gathered": "gather_metrics", "Ppo": "PPO", "Dqn": "DQN", "Trpo": "TRPO",
    "Sac": "SAC", "Ddpg": "DDPG", "A3c": "A3C", "Rl2": "RL2", "Gpt": "GPT", "Bert": "BERT", "DoubleDqn": "DoubleDQN", "lam": "gae_lambda",
    "duelling": "dueling", "noted": "record_spec", "rebuilt": "read_dataclass", "facts": "spec", "begun": "make_envs", "shaken": "epsilon_greedy",
    "exploring": "exploration_fraction",
}  # fmt: skip
"""the table of STYLE.md, as far as a word is wrong wherever it stands"""
VAGUE = {
    "found", "told", "said", "its", "known", "asked", "meant", "kept", "worth", "taught", "shown", "wanted", "aside", "further", "mine",
}  # fmt: skip
"""pronouns and participles that say nothing; the field's own (frozen, pooled, truncated, labelled, ...) are not among them"""
SCOPED = [
    Rule("keep", "write_json", r"^src/caudex/core/run"),
    Rule("leads", "is_main_process", SRC),
    Rule("spend", "add_cost", r"^src/caudex/core/"),
    Rule("clock", "log_timing", r"^src/caudex/core/"),
    Rule("cut", "truncate_metrics, or what is cut", r"^src/caudex/core/", "function attribute"),
    Rule("inside", "check_range", r"^src/caudex/core/system", "function"),
    Rule("opened", "open_run", r"^src/caudex/core/system", "function"),
    Rule("intact", "is_complete", SRC, "function"),
    Rule("tell", "result_rows", SETTINGS, "function"),
    Rule("form", "number_format", SETTINGS, "field"),
    Rule("feeds", "accepts", SRC),
    Rule("trivial", "chance_loss", SRC),
    Rule("resting", "can_checkpoint", SRC),
    Rule("inexact", "inexact_reason", SRC, "attribute field"),
    Rule("learned", "update_priorities", r"^src/caudex/(experience|core|data)/", "function"),
    Rule("teach", "compute_gradients", r"^src/caudex/core/"),
    Rule("move", "apply_gradients", r"^src/caudex/core/"),
    Rule("experience", "samples_seen, or total_steps", SRC, "parameter attribute field function"),
    Rule("remembered", "replay_source", SRC, "function"),
    Rule("by_values", "DQN", SRC),
    Rule("proximal", "PPO", SRC),
    Rule("judge", "evaluate_actions", SRC),
    Rule("wild", "random_actions", SRC),
    Rule("bounded", "clip_actions", r"^src/caudex/signals/", "function attribute"),
    Rule("draw", "sample", r"^src/caudex/signals/", "function"),
    Rule("means", "q_values", r"^src/caudex/signals/", "function"),
    Rule("scores", "q_logits", r"^src/caudex/signals/q_learning", "function local"),
    Rule("taken", "gather_actions", SRC, "function"),
    Rule("projected", "project_distribution", SRC, "function"),
    Rule("slow", "target", r"^src/caudex/(signals|experience|systems)/", "attribute"),
    Rule("after", "next_observations", r"^src/caudex/(signals|experience)/", "attribute field"),
    Rule("returns", "n_step", SETTINGS, "field"),
    Rule("capacity", "buffer_size", REWARD),
    Rule("start", "learning_starts", r"^src/caudex/(experience|systems/reward)/", "field parameter attribute"),
    Rule("renew", "target_interval", SRC),
    Rule("explore", "final_epsilon", SETTINGS, "field"),
    Rule("Memory", "InMemoryImages, FrameBuffer or KVCache", SRC, "class"),
    Rule("Scores", "the field's term", r"^src/caudex/experience/", "class"),
    Rule("deviation", "std", r"^src/caudex/(signals|trunks|core|evaluation)/", "parameter attribute field function"),
    Rule("most", "max_...", SRC, "parameter attribute field function"),
    Rule("least", "min_...", SRC, "parameter attribute field function"),
]
RULES = [
    *(Rule(old, new) for old, new in EVERYWHERE.items()),
    *(Rule(old, "a name that says what it is", SRC) for old in sorted(VAGUE)),
    *SCOPED,
]
SHARED_NAMES = {"Colorization", "Denoising", "DomainConfusion", "Inpainting", "Jigsaw", "NextFrame", "Rotation"}
"""a signal and the system that is named after it"""


def names_in(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Line, name and role of everything that the file names itself."""
    fields = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.lineno, node.name, "class"
            for part in node.body:
                target = (
                    part.target
                    if isinstance(part, ast.AnnAssign)
                    else part.targets[0]
                    if isinstance(part, ast.Assign)
                    else None
                )
                if isinstance(target, ast.Name):
                    fields.add(id(target))
                    yield part.lineno, target.id, "field"
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.name, "function"
            arguments = node.args
            for argument in (
                *arguments.posonlyargs,
                *arguments.args,
                *arguments.kwonlyargs,
                arguments.vararg,
                arguments.kwarg,
            ):
                if argument:
                    yield argument.lineno, argument.arg, "parameter"
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr, "attribute"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in fields:
            yield node.lineno, node.id, "local"


def refused(path: str, text: str) -> list[str]:
    """A line for each name in the file that a rule refuses."""
    rules: dict[str, list[Rule]] = {}
    for rule in RULES:
        if re.search(rule.scope, path):
            rules.setdefault(rule.old, []).append(rule)
    lines = []
    for line, name, kind in names_in(ast.parse(text)):
        lines += [
            f"{path}:{line}: {kind} {name!r}: say {rule.new}"
            for rule in rules.get(name, ())
            if kind in rule.kinds.split()
        ]
    return sorted(set(lines))


def defined_names(text: str) -> set[str]:
    """Public functions, classes and types at the top of a module; constants in capitals are of their module."""
    names = set()
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_") and not name.isupper()}


def defined_twice(texts: dict[str, str]) -> list[str]:
    """A line for each name that several of the modules, by path, define."""
    modules: dict[str, list[str]] = {}
    for path, text in texts.items():
        for name in defined_names(text):
            modules.setdefault(name, []).append(path)
    return [
        f"{name!r} is defined in {', '.join(paths)}: say them apart"
        for name, paths in sorted(modules.items())
        if len(paths) > 1 and name not in SHARED_NAMES
    ]


def main() -> None:
    files = [Path(word).resolve() for word in sys.argv[1:]]
    files = files or [
        file for part in ("src", "tests", "benchmarks", "tools") for file in sorted((ROOT / part).rglob("*.py"))
    ]
    lines = [line for file in files for line in refused(str(file.relative_to(ROOT)), file.read_text())]
    sources = [file for file in files if file.is_relative_to(ROOT / "src")]
    lines += defined_twice({str(file.relative_to(ROOT)): file.read_text() for file in sources})
    print("\n".join(lines) or f"names: {len(files)} files use the field's words")
    raise SystemExit(bool(lines))


if __name__ == "__main__":
    main()
