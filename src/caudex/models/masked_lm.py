"""A language model that predicts masked tokens, and whether one passage follows another."""

from __future__ import annotations

import torch

from caudex.core.errors import CaudexError
from caudex.models.language_model import LanguageModel
from caudex.trunks import PaddedTokens


class MaskedLM(LanguageModel):
    """Its signals are `masked-token` and `next-sentence`."""

    @torch.inference_mode()
    def fill_mask(self, text: str, top_k: int = 5) -> list[list[tuple[str, float]]]:
        """For each [MASK] of the text the `top_k` likeliest tokens, with their probabilities."""
        self.require_signal("masked-token", "fill in")
        tokenizer = self.tokenizer
        tokens = [tokenizer.cls_token_id, *tokenizer.encode(text), tokenizer.sep_token_id]
        positions = [i for i, token in enumerate(tokens) if token == tokenizer.mask_token_id]
        if not positions:
            mask = tokenizer.id_to_token(tokenizer.mask_token_id)
            raise CaudexError(
                f"{text!r} hides nothing; put {mask} where a word is to be told, as in 'The man went to the {mask}.'"
            )
        self._check_length(tokens)
        if not 1 <= top_k <= tokenizer.vocab_size:
            raise CaudexError(
                f"a count of {top_k:,} is out of range; the vocabulary has {tokenizer.vocab_size:,} tokens."
            )
        features = self.trunk(torch.tensor([tokens], device=self.device)).layers["tokens"][0, positions]
        best = self.signals["masked-token"].logits(self.trunk, features).softmax(-1).topk(top_k)
        return [
            [(tokenizer.id_to_token(token), probability) for token, probability in zip(ids, probabilities)]
            for ids, probabilities in zip(best.indices.tolist(), best.values.tolist())
        ]

    @torch.inference_mode()
    def next_sentence_probability(self, first: str, second: str) -> float:
        """The probability that the second passage follows the first."""
        self.require_signal("next-sentence", "tell whether one passage follows another")
        first_ids, second_ids = (self.tokenizer.encode(text, parse_special=False) for text in (first, second))
        cls, sep = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        tokens = [cls, *first_ids, sep, *second_ids, sep]
        self._check_length(tokens)
        segments = [0] * (len(first_ids) + 2) + [1] * (len(second_ids) + 1)
        batch = PaddedTokens(*(torch.tensor([row], device=self.device) for row in (tokens, segments)))
        return self.signals["next-sentence"].head(self.trunk(batch).pooled).softmax(-1)[0, 0].item()

    def _check_length(self, tokens: list[int]) -> None:
        if len(tokens) > self.trunk.context:
            raise CaudexError(
                f"the text has {len(tokens):,} tokens, this model sees {self.trunk.context:,}; give a shorter one."
            )
