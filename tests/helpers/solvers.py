"""Solvers that lie, hang and eat memory; here, where a spawned process can import them."""


def lying_solver(integrand):
    return [("mul", "x", "x"), ("sin", "x")]


def endless_solver(integrand):
    while True:
        pass


def greedy_solver(integrand):
    return [bytearray(1 << 40)]


def right_solver(integrand):
    return [("div", ("sin", ("pow", "x", 2)), 2)]
