"""Small trunks for text."""

from caudex.trunks import BERT_LAYOUT, Transformer


def bert_trunk() -> Transformer:
    return Transformer(50, 16, 24, 2, 3, **BERT_LAYOUT).eval()
