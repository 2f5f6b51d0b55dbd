"""Documents as text."""


def join_pieces(read):
    pieces = {}
    for number, piece in read:
        pieces.setdefault(number, []).append(piece)
    assert list(pieces) == list(range(len(pieces)))
    return ["".join(parts) for parts in pieces.values()]
