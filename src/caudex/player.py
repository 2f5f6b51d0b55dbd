"""What training in a world leaves: a trunk and a policy that plays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from caudex import worlds
from caudex.errors import CaudexError
from caudex.experience import Acting
from caudex.learner import Learner
from caudex.run import derived

Choose = Callable[[np.ndarray], np.ndarray]


class Player(nn.Module):
    """Observations to actions, by the signal `policy` of a learner. Uses the averaged weights where they are kept."""

    def __init__(self, learner: Learner, facts: dict):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.world, self.stack = facts["world"], facts["stack"]
        self.shape, self.actions = tuple(facts["shape"]), facts["actions"]

    @torch.inference_mode()
    def act(self, observations: np.ndarray | Tensor, greedy: bool = True) -> np.ndarray:
        """Actions for the world from observations [N, ...]; `greedy` takes the likeliest, else they are drawn."""
        seen = torch.as_tensor(observations, device=next(self.parameters()).device)
        return self.signals["policy"].act(self.trunk, seen, greedy).cpu().numpy()

    def play(self, episodes: int = 20, seed: int = 0, greedy: bool = True, world: str | None = None) -> np.ndarray:
        """The return of each episode, [episodes]; the same seed begins the same episodes."""
        self.eval()
        if world:
            self.knows(world)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return played(world or self.world, lambda seen: self.act(seen, greedy), episodes, seed, self.stack)

    def knows(self, world: str) -> None:
        """Raises CaudexError for a world with other observations or actions than were learned with."""
        here = worlds.make(world, 1)
        shape, space = Acting(here, 0, self.stack).shape, here.action
        here.close()
        known = self.actions.get("count") or (len(self.actions["low"]),)
        if shape != self.shape or (space.shape or int(space.n)) != known:
            raise CaudexError(f"{world} has other observations or actions than {self.world}, where this was learned.")

    def watch(
        self, seed: int = 0, greedy: bool = True, world: str | None = None, most: int = 0, steps: int = 10_000
    ) -> tuple[list[np.ndarray], float]:
        """Pictures uint8 [H, W, 3] of one episode, the first `steps` of it, and its return. With `most`, no more than twice
        as many pictures, evenly spread in time."""
        self.eval()
        if world:
            self.knows(world)
        here = worlds.make(world or self.world, 1, shown=True)
        acting, pictures, every, total = Acting(here, derived(seed, "watch"), self.stack), [here.picture()], 1, 0.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for step in range(1, steps):
                lived = acting.step(self.act(acting.observations, greedy))
                total += float(lived.rewards[0])
                if lived.begun[0]:
                    break
                if step % every == 0:
                    pictures.append(here.picture())
                if most and len(pictures) > 2 * most:
                    pictures, every = pictures[::2], 2 * every
        here.close()
        return pictures, total


def played(world: str, choose: Choose, episodes: int, seed: int, stack: int = 1, together: int = 10) -> np.ndarray:
    """Returns [episodes] of `choose`, observations [N, ...] to actions; each place plays the same number, lest the short
    episodes count more."""
    count = min(episodes, together)
    here = worlds.make(world, count)
    acting, each = Acting(here, derived(seed, "play"), stack), -(-episodes // count)
    found: list[list[float]] = [[] for _ in range(count)]
    while min(map(len, found)) < each:
        acting.step(choose(acting.observations))
        for place, total, _ in acting.ended:
            found[place].append(total)
        acting.ended.clear()
    here.close()
    return np.array([found[i % count][i // count] for i in range(episodes)])


def at_random(world: str, episodes: int, seed: int) -> np.ndarray:
    """Returns [episodes] of one who acts at random."""
    here = worlds.make(world, 1)
    space, draw = here.action, np.random.default_rng(derived(seed, "random"))
    here.close()
    if space.shape:
        return played(
            world,
            lambda seen: draw.uniform(space.low, space.high, (len(seen), *space.shape)).astype(np.float32),
            episodes,
            seed,
        )
    return played(world, lambda seen: draw.integers(space.n, size=len(seen)), episodes, seed)
