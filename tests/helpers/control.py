"""Tasks of control, begun and moved."""

import numpy as np


def simulate(task, rows, action, substeps):
    """All bodies on the way [T, P, N], of one that starts with these rows."""
    bodies = [np.array(rows, float)[:, None]]
    for _ in range(substeps):
        bodies.append(task.advance(bodies[-1], np.array(action, float)[:, None]))
    return np.stack(bodies)
