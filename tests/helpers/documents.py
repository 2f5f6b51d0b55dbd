"""Documents as text."""


def join_pieces(read):
    whole = {}
    for number, piece in read:
        whole.setdefault(number, []).append(piece)
    assert list(whole) == list(range(len(whole)))
    return ["".join(parts) for parts in whole.values()]
