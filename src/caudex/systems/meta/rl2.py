"""rl2: task after task, until going on after a reward has become a way to learn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from caudex.core.errors import CaudexError
from caudex.core.fit import fit
from caudex.core.learner import Learner
from caudex.core.optim.adam import Adam
from caudex.core.ranges import check_range
from caudex.core.run import Run
from caudex.core.specs import MAX_TASK_SIZE, EnvSpec
from caudex.core.system import System
from caudex.envs.meta import trials
from caudex.envs.meta.trials import TaskSettings
from caudex.evaluation import result_kinds
from caudex.evaluation.claim import Claim
from caudex.evaluation.intervals import t_interval
from caudex.evaluation.meta_test import evaluate_new_tasks
from caudex.experience import Histories
from caudex.models.meta_agent import MetaAgent, TrialEncoder
from caudex.signals.policy_gradient import PPOActorCritic
from caudex.signals.trust_region import TrustRegion, trpo_step
from caudex.trunks import GRU, CausalTransformer, Recurrent

TEST_TASKS = 1000
"""new tasks at the end"""
CLAIM_TASKS = 10_000
"""new tasks of a claim"""
MEMORIES = {"gru": GRU, "transformer": CausalTransformer}


@dataclass
class RL2(TaskSettings, System):
    """A family of tasks, and the reward in each: an agent with memory that learns how to learn them (Duan et al. 2016).

    It acts in task after task and learns from whole trials by PPO or TRPO; what it remembers of a trial is all that it knows of
    the task. `caudex meta-test RUN` compares it with classical algorithms in new tasks.
    """

    env: str = "bandits"
    total_steps: int = 20_000_000
    """steps in the environment, of all tasks together"""
    steps: int | None = None
    """stop after so many optimiser steps, where that comes first"""
    tasks: int = 500
    """tasks side by side"""
    batch: int = 25
    """trials of one optimiser step; by trpo, of the value"""
    epochs: int = 2
    """passes over the trials of a round; by trpo, for the value"""
    memory: Literal["gru", "transformer"] = "gru"
    """gru: a recurrent state; transformer: two causal blocks that attend to the whole trial"""
    width: int = 64
    """features of the memory"""
    separate_critic: bool = False
    """the value has a trunk of its own, with its own memory, as published; else it shares the policy's"""
    policy_update: Literal["ppo", "trpo"] = "ppo"
    """how the policy learns: ppo by small steps, trpo by one step a round, within a trust region"""
    gamma: float = 0.99
    """discount of a reward for each step that it comes later, also across episodes of a trial"""
    gae_lambda: float = 0.8
    """lambda of generalised advantage estimation at first; it rises to 1 during training"""
    clip_range: float = 0.2
    """share by which the probability of an action may change before its gradient is clipped"""
    target_kl: float = 0.01
    """by trpo: nats by which a step may change the policy"""
    entropy_coef: float = 0.05
    """bonus on the entropy of the policy, which decays to 0 during training; not by trpo"""
    lr: float = 0.01
    """learning rate; by trpo, of the value"""

    spec_type: ClassVar = EnvSpec
    scales: ClassVar = {
        "tiny": {"total_steps": 20_000, "tasks": 100, "batch": 50, "width": 16},
        "mdps": {
            "env": "tabular-mdps", "total_steps": 12_000_000, "memory": "transformer", "gae_lambda": 0.5, "lr": 0.003,
            "also": ("reward:1",),
        },
        "mazes": {
            "env": "mazes", "total_steps": 24_000_000, "tasks": 128, "batch": 16, "width": 192, "gae_lambda": 0.95,
            "entropy_coef": 0.03, "lr": 0.002,
        },
    }  # fmt: skip
    accepts: ClassVar = ("histories",)
    results_type: ClassVar = result_kinds.RL2Results
    number_format: ClassVar = ",.2f"
    measure: ClassVar = "mean return of a trial"
    statement: ClassVar = "in tasks that are new, who learned to learn earns what the best classical way earns, or more"

    def train(self, run: Run) -> MetaAgent:
        sizes = self.task_settings()
        env = trials.make_trials(self.env, self.tasks, **sizes)
        spec = EnvSpec(self.env, env.family.observation_space.shape, env.actions, sizes=sizes)
        with run.seeded("weights"):
            learner = self.learner(spec)
        batch, epochs, step = self.batch, self.epochs, Learner.step
        if self.policy_update == "trpo":  # a step of the policy on the whole round, then those passes for the value
            batch, epochs, step = self.tasks, 1, partial(trpo_step, epochs=epochs, batch=batch)
        source = Histories(env, learner, "policy", batch, epochs, self.gamma, self.gae_lambda, run.seed)
        run.write_spec(spec)
        sources = dict.fromkeys(learner.signals, source)
        fit(learner, sources, **self.budget(1.0), run=run.stage("training"), step=step)
        agent = MetaAgent(learner, spec)
        returns = agent.play(TEST_TASKS, run.seed).returns.sum(1)
        summary = dict(zip(("return", "low", "high"), t_interval(returns)))
        run.write_json("results", {"rl2": summary, "tasks": TEST_TASKS})
        return agent

    def learner(self, spec: EnvSpec) -> Learner:
        baseline = self.trunk(spec) if self.separate_critic else None
        if self.policy_update == "ppo":
            policy = PPOActorCritic(
                spec.actions, (), self.entropy_coef, clip_range=self.clip_range, anneal_entropy=True, baseline=baseline
            )
        else:
            policy = TrustRegion(spec.actions, (), self.target_kl, baseline=baseline)
        signals, optimizer = self.with_extra_signals({"policy": policy}, spec), partial(Adam, lr=self.lr, eps=1e-5)
        return Learner(self.trunk(spec), signals, optimizer, lambda progress: 1 - progress, max_grad_norm=0.5)

    def trunk(self, spec: EnvSpec) -> Recurrent:
        feedback = spec.actions.size + 2  # the last action, its reward, and whether it ended an episode
        return Recurrent(TrialEncoder(spec.shape, feedback), self.width, MEMORIES[self.memory])

    def budget(self, share: float) -> dict:
        return super().budget(share) | {"samples": self.total_steps}

    def model(self, spec: EnvSpec) -> MetaAgent:
        return MetaAgent(self.learner(spec), spec)

    def result_rows(self, results: dict) -> list[tuple]:
        summary = results["rl2"]
        interval = f"{summary['low']:,.3f} to {summary['high']:,.3f}"
        return [
            (f"{results['tasks']:,} new tasks", "mean return", "95% interval"),
            ("rl2", f"{summary['return']:,.3f}", interval),
        ]

    def claim(self, run: Run) -> Claim:
        """Its return in new tasks, against the best classical algorithm that sees no more than it does."""
        agent = self.train(run)
        returns = {
            name: played.returns.sum(1).mean()
            for name, played in evaluate_new_tasks(agent, CLAIM_TASKS, run.seed).items()
        }
        rl2, privileged = returns.pop("rl2"), {}
        if self.env == "mazes":  # these see the maze from above, or their position
            privileged = {name: returns.pop(name) for name in ("wall following", "count-based", "shortest path")}
        return Claim(self.statement, rl2, {"the best classical way": max(returns.values())}, privileged | returns)

    def check(self) -> None:
        super().check()
        inf = float("inf")
        check_range(
            self, total_steps=(1, inf), tasks=(1, 1 << 20), batch=(1, 1 << 20), epochs=(1, 1000), width=(1, 1 << 14)
        )
        sizes = ("arms", "pulls", "states", "actions", "horizon", "episodes", "limit")
        check_range(self, **dict.fromkeys(sizes, (1, MAX_TASK_SIZE)))
        check_range(self, gamma=(0, 1), gae_lambda=(0, 1), clip_range=(1e-3, 10), target_kl=(1e-9, 10))
        check_range(self, entropy_coef=(0, 10), lr=(1e-8, 10))
        if self.batch > self.tasks:
            raise CaudexError(
                f"--batch {self.batch:,} is more than the trials of a round, one of each of --tasks {self.tasks:,}; give a lower --batch."
            )
        if self.policy_update == "trpo" and self.also:
            raise CaudexError(
                f"--also {self.also[0]}: the step of trpo is for the policy alone; leave it out, or take --policy-update ppo."
            )
