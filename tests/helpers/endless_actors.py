"""Two actors act until this process is killed; `tests/systems/reward/test_a3c.py` kills it."""

import signal
from functools import partial

import torch

from caudex import envs
from caudex.core.learner import Learner
from caudex.core.optim.rmsprop import RMSprop
from caudex.core.specs import ActionSpec
from caudex.experience import Actors, EnvRunner, Rollouts
from caudex.signals.policy_gradient import ActorCritic
from caudex.trunks import MLP, ObservationNormaliser

GAMMA, STEPS = 0.9, 5


def make_actor(seed, standardised=True):
    """A learner, and a source with one environment that acts by it."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        trunk = ObservationNormaliser(MLP(4, (8,)), 4) if standardised else MLP(4, (8,))
        learner = Learner(
            trunk, {"policy": ActorCritic(ActionSpec(count=2))}, partial(RMSprop, lr=0.01, alpha=0.99, eps=1e-5)
        )
    runner = EnvRunner(envs.make("CartPole-v1", 1), seed)
    return learner, Rollouts(runner, learner, "policy", STEPS, STEPS, 1, GAMMA, 1.0, update_statistics=False)


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
    with Actors(make_actor(0)[0], make_actor, 2, seed=7) as actors:
        for count, _ in enumerate(actors):
            if count == 10:
                print("going", flush=True)


if __name__ == "__main__":
    main()
