"""Strings that are seeds: each that the package uses, and the seed that follows from it, as first published."""

import ast
from pathlib import Path

import pytest

import caudex
from caudex.core.run import Run
from caudex.core.seeds import derive_seed
from caudex.systems.dense.dense_heads import TASKS
from caudex.systems.reward.rainbow import PARTS
from caudex.systems.simulation.domain_confusion import BOTH, BOUND, CONFUSION, RANDOMISED, SOURCE_ONLY

STAGES = {
    "supervised": 3968128614405623008,
    "teacher": 882931797895094441,
    "student-1": 655579686660906712,
    "student-2": 1020802841689605234,
    "without-noise": 3776321686712817051,
    "two-heads": 4065300655084306139,
    "labels-alone": 881345930037088766,
    "tuned-0.1": 177573022358063130,
    "scratch-0.1": 2764815259636012654,
    "calibration-1": 3255794144036145329,
    "calibration-2": 3346003101746146033,
    "pretraining": 2051993549745898789,
    "all-labels": 1756582908871965423,
    "both": 1952513711011186463,
    "segmentation-alone": 320060866323432384,
    "depth-alone": 3786502860133814776,
    "scratch": 2520264794772703310,
    "fine-tuned": 4099403364259489802,
    "next-token": 4606963051065032436,
    "untrained": 3245013465141629860,
    "training": 3558122684256733721,
    "pictures": 873422547782750505,
    "state": 818261557053278309,
    "none-of-them": 4501952981471697863,
    "without-double": 4586860683479220900,
    "without-duelling": 367868313835425084,
    "without-a-distribution": 1965281544297101114,
    "without-several-rewards": 2770271420186102142,
    "without-priorities": 3249183748582828677,
    "domain-confusion": 9285131732162970,
    "source-only": 3003539848133859769,
    "randomised-looks": 2348006886539890545,
    "randomised-looks-and-domain-confusion": 2176511497662968547,
    "target-labels": 2459799659512854683,
}
CALLS = {
    (0, "weights"): 1467018432505826723,
    (0, "shown"): 420187242273996918,
    (0, "scenes"): 3806818477155476876,
    (0, "watch"): 3447873846439926801,
    (0, "play"): 84198917557885085,
    (0, "evaluation"): 2300043409277950236,
    (0, "random"): 1068646989570995148,
    (0, "train"): 2382524714441157361,
    (0, "test"): 2060442964888751303,
    (0, "step", 0, 0): 2271474869654784447,
    (0, "step", 7, 1): 703114332092193623,
    (7, "episode", 2, 5): 1737448678767554856,
    (7, "actor", 1, 640): 4444754089929392736,
    (7, "order", 3): 784857171674822892,
    (7, "tasks", 3): 2255788636063274466,
    (0, "match"): 312841002380882850,
    (7, 1): 3815779832315643212,
    (0, "cross-fitting", 0): 1199762642594907336,
    (0, "advise", 0): 148470545108848517,
    (0, "trial", 0): 1127061925829350605,
    (0, "shots", 0): 3608222908801144825,
    (0, "fitting"): 3765659185707040226,
    (0, "domain probe"): 4339697142471091571,
    (0, "looks"): 1403314730910257874,
    (0, "proxy reality"): 1325649447324836128,
    (0, "scene", "camera"): 989035439264152897,
    (0, "textures"): 1381393476258154877,
    (0, "expressions", "bwd", "train"): 4162191678594433026,
    (0, "points"): 3029807485597796103,
    (0, "source", "target"): 122252149929562175,
    (0, "source", "labelled"): 2585559535554771016,
    (0, "source", "unlabelled"): 3688560534974923404,
    (0, "source", "pairs"): 2135053500184326263,
    (0, "source", "pseudo-labelled"): 2688619789658221011,
    (0, "source", "self-play"): 4525813860720619271,
    (7, "self-play", 1, 2): 1519211685046157120,
    (0, "source", "window"): 4373427134160966551,
}
TEMPLATES = {
    "student-{}": "student-1",
    "calibration-{}": "calibration-1",
    "tuned-{}": "tuned-0.1",
    "scratch-{}": "scratch-0.1",
    "{}-alone": "depth-alone",
}


@pytest.mark.parametrize("name", STAGES)
def test_the_seed_of_a_stage(name):
    assert Run("run", 0).stage(name).seed == STAGES[name]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_derived_seed(call):
    assert derive_seed(*call) == CALLS[call]


def test_no_string_that_is_a_seed_is_new_or_renamed():
    used = {"stage": set(), "seeded": set(), "derive_seed": set(), "source_seed": set()}
    for file in Path(caudex.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for argument in node.args if name in used else ():
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    used[name].add(argument.value)
                elif isinstance(argument, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in argument.values)
                    used[name].add(TEMPLATES["".join(parts)])
    computed = {f"without-{part}".replace(" ", "-") for part in PARTS} | {"none-of-them"}  # rainbow's claim
    computed |= {name.replace(" ", "-") for name in (CONFUSION, SOURCE_ONLY, RANDOMISED, BOTH, BOUND)}
    computed |= {f"{task}-alone" for task in TASKS} | {"student-2", "calibration-2"}
    assert used["stage"] | computed == set(STAGES)
    assert used["seeded"] | used["derive_seed"] | {"train", "test"} == {call[1] for call in CALLS} - {1}
    assert used["source_seed"] == {call[2] for call in CALLS if call[1] == "source"}
