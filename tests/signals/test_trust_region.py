"""The trust region, by dense matrices."""

import torch

from caudex.core.learner import Learner
from caudex.core.specs import ActionSpec
from caudex.experience import Rollout
from caudex.signals.trust_region import TrustRegion, conjugate_gradient
from caudex.trunks import Identity


def test_conjugate_gradients_solve_what_a_dense_solver_solves():
    part = torch.randn(6, 6, dtype=torch.float64)
    matrix, right = part @ part.T + torch.eye(6, dtype=torch.float64), torch.randn(6, dtype=torch.float64)
    torch.testing.assert_close(conjugate_gradient(lambda x: matrix @ x, right, 20), torch.linalg.solve(matrix, right))


def test_the_step_is_along_the_dense_fisher_matrix_and_inside_the_region():
    signal = TrustRegion(ActionSpec(count=3), target_kl=0.01, cg_damping=0.0, cg_steps=50)
    learner = Learner(Identity(2), {"policy": signal}).double()
    x, actions = torch.randn(50, 2, dtype=torch.float64), torch.randint(3, (50,))
    old = signal.policy(x)
    log_probs, before = old.log_prob(actions).detach(), [p.detach().clone() for p in signal.policy.parameters()]
    batch = Rollout(x, actions, log_probs, None, torch.randn(50, dtype=torch.float64), None)
    # the Fisher matrix of a softmax over linear scores, of the fifth of the rows that the step looks at
    some = x[::5]
    shares = signal.policy(some).logits.exp().detach()
    fisher = torch.zeros(9, 9, dtype=torch.float64)
    for row, p in zip(torch.cat([some, torch.ones(10, 1, dtype=torch.float64)], 1), shares):
        fisher += torch.kron(torch.diag(p) - torch.outer(p, p), torch.outer(row, row)) / 10
    figures = signal.policy_step(learner.trunk, batch)
    assert 0 < figures["kl"] <= 0.01 and figures["surrogate_gain"] > 0
    weight, bias = (p.detach() - b for p, b in zip(signal.policy.parameters(), before))
    after = torch.cat([weight, bias[:, None]], 1).flatten()  # [3 * (2 + 1)]
    with torch.no_grad():
        for p, b in zip(signal.policy.parameters(), before):
            p.copy_(b)
    advantages = torch.nn.functional.layer_norm(batch.advantages, (50,))
    gain = (signal.policy(x).log_prob(actions) * advantages).mean()
    grads = torch.autograd.grad(gain, tuple(signal.policy.parameters()))
    gradient = torch.cat([grads[0], grads[1][:, None]], 1).flatten()
    natural = torch.linalg.lstsq(fisher, gradient[:, None], driver="gelsd").solution.flatten()
    assert torch.nn.functional.cosine_similarity(after, natural, 0) > 0.999
