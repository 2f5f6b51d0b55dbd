import pytest
from torch import nn

from caudex.core.errors import CaudexError
from caudex.core.registry import find_class
from caudex.core.specs import ActionSpec, EnvSpec

GAMES = EnvSpec("", (4,), ActionSpec(3))
ROBOTS = EnvSpec("", (4,), ActionSpec(low=(-1.0,), high=(1.0,)))
FRAMES = EnvSpec("", (4, 48, 48), ActionSpec(3))
ROBOTS_IN_FRAMES = EnvSpec("", (4, 48, 48), ActionSpec(low=(-1.0,), high=(1.0,)))
DEFAULTS = {
    "ppo": [(GAMES, [64, 64]), (FRAMES, [])],
    "a3c": [(GAMES, [64, 64]), (FRAMES, [])],
    "trpo": [(ROBOTS, [64, 64])],
    "locomotion": [(ROBOTS, [64, 64])],
    "dqn": [(GAMES, [128, 128]), (FRAMES, [512])],
    "double-dqn": [(GAMES, [128, 128])],
    "rainbow": [(GAMES, [128, 128]), (EnvSpec("", (4, 10, 10), ActionSpec(3)), [128])],
    "sac": [(ROBOTS, [256, 256])],
    "ddpg": [(ROBOTS, [256, 256])],
    "curl": [(FRAMES, [256]), (ROBOTS_IN_FRAMES, [256, 256])],
}
"""the hidden layers of the heads where none are given"""
HEADS = ("policy", "critic", "critics", "value_head", "advantage_head")


def hidden_units(signal):
    """Outputs of the linear layers of each head but the last, without the maps to features."""
    units = {}
    for name, head in signal.named_children():
        parts = list(head) if isinstance(head, nn.ModuleList) and name == "critics" else [head]
        for part in parts if name in HEADS else ():
            layers = [m for m in part.modules() if isinstance(m, nn.Linear)]
            projections = [
                m[0] for m in part.modules() if isinstance(m, nn.Sequential) and isinstance(m[-1], nn.LayerNorm)
            ]
            units[name] = [layer.out_features for layer in layers if layer not in projections][:-1]
    return units


@pytest.mark.parametrize("name", DEFAULTS)
def test_hidden_sets_the_layers_of_every_head(name):
    system = find_class("systems", name)
    for spec, layers in DEFAULTS[name]:
        for given, expected in ((), layers), ((16, 8), [16, 8]), ((7,), [7]):
            units = hidden_units(system(hidden=given).learner(spec).signals["policy"])
            assert units
            assert all(each == expected for each in units.values()), (spec.shape, given, units)


@pytest.mark.parametrize("hidden", [(64, 0), (1 << 17,), (-3,)])
def test_layers_without_units_are_refused(hidden):
    given = " ".join(map(str, hidden))
    with pytest.raises(CaudexError, match=f"^--hidden {given}: each layer has 1 to 65,536 units.$"):
        find_class("systems", "ppo")(hidden=hidden).check()
