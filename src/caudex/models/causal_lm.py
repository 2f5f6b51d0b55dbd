"""A language model that predicts the next token: it generates text, and scores texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from caudex.core.errors import CaudexError
from caudex.models.language_model import LanguageModel
from caudex.models.likelihood import common_prefix_length, continuation_log_likelihoods


class CausalLM(LanguageModel):
    """Its signal is `next-token`."""

    @torch.inference_mode()
    def generate(
        self,
        prompt: str,
        max_new_tokens: int = 100,
        temperature: float = 1.0,
        top_p: float = 1.0,
        num_return_sequences: int = 1,
        seed: int = 0,
    ) -> Iterator[list[str]]:
        """Continue the prompt: each yield has the new characters of every sequence, "" where there are none.

        Samples from the likeliest tokens that together have `top_p` (Holtzman et al. 2020, section 3.1) at `temperature`;
        0 is greedy. A sequence ends at the end-of-text token, or after `max_new_tokens`. When the context is full, its
        older half is forgotten. Of a prompt longer than the context the end counts.
        """
        tokenizer = self.tokenizer
        prompt_ids = tokenizer.encode(prompt, parse_special=False) or [self._start_token_id]
        sequences = [list(prompt_ids) for _ in range(num_return_sequences)]
        texts = [tokenizer.decode(prompt_ids)] * num_return_sequences
        is_unfinished = [True] * num_return_sequences
        for new_tokens in self.generate_tokens(
            prompt_ids, max_new_tokens, temperature, top_p, num_return_sequences, seed
        ):
            new_texts = []
            for i, (sequence, token) in enumerate(zip(sequences, new_tokens)):
                sequence.append(token)
                is_unfinished[i] &= token not in self.eos_token_ids
                text = tokenizer.decode(sequence, skip_special_tokens=True) if is_unfinished[i] else texts[i]
                is_complete = not text.endswith("\ufffd")  # else a character whose other bytes are still to come
                new_texts.append(text[len(texts[i]) :] if is_complete else "")
                texts[i] = text if is_complete else texts[i]
            yield new_texts

    @torch.inference_mode()
    def generate_tokens(
        self,
        prompt_ids: Sequence[int],
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        num_return_sequences: int = 1,
        seed: int = 0,
    ) -> Iterator[list[int]]:
        """As `generate`, in tokens: each yield has the next one of every sequence. Those behind an end of text mean nothing; it
        stops when all sequences have one."""
        self.require_signal("next-token", "generate")
        tokenizer, context = self.tokenizer, self.trunk.context
        sequences = [list(prompt_ids) for _ in range(num_return_sequences)]
        is_unfinished = torch.ones(num_return_sequences, dtype=torch.bool)
        generator = torch.Generator().manual_seed(seed)
        state = self.trunk.initial_state(num_return_sequences)
        new_tokens = torch.tensor(prompt_ids[-context:]).repeat(num_return_sequences, 1)
        for _ in range(max_new_tokens):
            if state.length + new_tokens.shape[1] > context:
                recent = [sequence[-max(1, context // 2) :] for sequence in sequences]
                state, new_tokens = self.trunk.initial_state(num_return_sequences), torch.tensor(recent)
            features = self.trunk(new_tokens.to(self.device), state).layers["tokens"][:, -1]
            logits = self.signals["next-token"].logits(self.trunk, features).float().cpu()  # [N, V]
            logits[:, tokenizer.vocab_size :] = -torch.inf  # ids that stand for no token
            new_tokens = sample_tokens(logits, temperature, top_p, generator)[:, None]
            for i, (sequence, token) in enumerate(zip(sequences, new_tokens[:, 0].tolist())):
                sequence.append(token)
                is_unfinished[i] &= token not in self.eos_token_ids
            yield new_tokens[:, 0].tolist()
            if not is_unfinished.any():
                return

    def log_likelihoods(self, pairs: Sequence[tuple[str, str]], progress: str = "") -> tuple[Tensor, Tensor]:
        """(ln p of each continuation given its prefix, its number of tokens), [N] both, of (prefix, continuation) pairs.

        Each pair is encoded whole: its tokens that differ from those of the prefix alone are the continuation's. Raises
        CaudexError for a pair that does not fit into the context.
        """
        prefixes, texts = [prefix for prefix, _ in pairs], [prefix + continuation for prefix, continuation in pairs]
        encoded = zip(*(self.tokenizer.encode_batch(part, parse_special=False) for part in (prefixes, texts)))
        return self.token_log_likelihoods(
            [(ids, common_prefix_length([prefix, ids])) for prefix, ids in encoded], progress
        )

    def token_log_likelihoods(
        self, sequences: Sequence[tuple[Sequence[int], int]], progress: str = ""
    ) -> tuple[Tensor, Tensor]:
        """The same of (tokens, how many of them are the prefix); at least the last is scored."""
        self.require_signal("next-token", "score texts")
        rows = []
        for tokens, prefix_length in sequences:
            ids = [self._start_token_id, *tokens]
            if len(ids) > self.trunk.context + 1:
                raise CaudexError(
                    f"{len(ids):,} tokens do not fit into the context of {self.trunk.context:,}: "
                    f"{self.tokenizer.decode(tokens)[:60]!r}...; shorten it, or use a model with a longer context."
                )
            rows.append((ids, min(1 + prefix_length, len(ids) - 1)))
        counts = torch.tensor([len(ids) - start for ids, start in rows])
        return continuation_log_likelihoods(self, rows, progress), counts

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        """The tokens that end a text."""
        own = () if self.tokenizer.eos_token_id is None else (self.tokenizer.eos_token_id,)
        return self.spec.eos_token_ids or own

    @property
    def _start_token_id(self) -> int:
        """What stands before a text: the end of another."""
        return self.tokenizer.eos_token_id if self.tokenizer.eos_token_id is not None else 0


def sample_tokens(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> Tensor:
    """A token for each row [N] of logits [N, V]; temperature 0 is greedy."""
    if temperature == 0:
        return logits.argmax(1)
    probabilities, order = (logits / temperature).softmax(1).sort(dim=1, descending=True)
    before = probabilities.cumsum(1) - probabilities  # of those that are likelier
    probabilities = probabilities.masked_fill(before >= top_p, 0.0)
    return order.gather(1, probabilities.multinomial(1, generator=generator)).squeeze(1)
