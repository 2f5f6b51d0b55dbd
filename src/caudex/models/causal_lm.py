"""A language model that predicts the next token: it generates text, and scores texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from caudex.core.errors import CaudexError
from caudex.core.hardware import available_memory
from caudex.models.beam_search import beam_search
from caudex.models.chat_template import encode_chat
from caudex.models.language_model import LanguageModel
from caudex.models.likelihood import common_prefix_length, continuation_log_likelihoods
from caudex.models.sampling import sample_tokens
from caudex.models.text_stream import TextStream, check_stop
from caudex.trunks import KVCache
from caudex.trunks.inference_copy import inference_copy, linear_function


class CausalLM(LanguageModel):
    """Its signal is `next-token`."""

    @torch.inference_mode()
    def generate(
        self,
        prompt: str | Sequence[int],
        max_new_tokens: int = 100,
        temperature: float = 1.0,
        top_p: float = 1.0,
        num_return_sequences: int = 1,
        seed: int = 0,
        top_k: int = 0,
        stop: Sequence[str] = (),
    ) -> Iterator[list[str]]:
        """Continue the prompt, text or tokens: each yield has the new characters of every sequence, "" where there are none.

        Samples from the `top_k` likeliest tokens (0: all), of these from the likeliest that together have `top_p` (Holtzman et al.
        2020, section 3.1), at `temperature`; 0 is greedy. A sequence ends at the end-of-text token, before a string of `stop`, or
        after `max_new_tokens`. When the context is full, its older half is forgotten. Of a prompt longer than the context the
        end counts. Raises CaudexError for an empty stop string.
        """
        prompt_ids = self.prompt_ids(prompt)
        streams = [
            TextStream(self.tokenizer, prompt_ids, stop, self.eos_token_ids) for _ in range(num_return_sequences)
        ]
        for new_tokens in self.generate_tokens(
            prompt_ids, max_new_tokens, temperature, top_p, num_return_sequences, seed, top_k
        ):
            yield [stream.add(token) for stream, token in zip(streams, new_tokens)]
            if all(stream.is_finished for stream in streams):
                return
        yield [stream.finish() for stream in streams]

    @torch.inference_mode()
    def generate_tokens(
        self,
        prompt_ids: Sequence[int],
        max_new_tokens: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        num_return_sequences: int = 1,
        seed: int = 0,
        top_k: int = 0,
    ) -> Iterator[list[int]]:
        """As `generate`, in tokens: each yield has the next one of every sequence. Those behind an end of text mean nothing; it
        stops when all sequences have one."""
        context = self.trunk.context
        sequences = [list(prompt_ids) for _ in range(num_return_sequences)]
        is_unfinished = [True] * num_return_sequences
        generator = torch.Generator().manual_seed(seed)
        state, logits = self._start(prompt_ids, num_return_sequences)
        next_logits = self._fast_next_logits(num_return_sequences)
        for number in range(max_new_tokens):
            new_tokens = sample_tokens(logits.cpu(), temperature, top_p, generator, top_k)
            for i, (sequence, token) in enumerate(zip(sequences, new_tokens.tolist())):
                sequence.append(token)
                is_unfinished[i] &= token not in self.eos_token_ids
            yield new_tokens.tolist()
            if not any(is_unfinished) or number == max_new_tokens - 1:
                return
            if state.length == context:
                recent = torch.tensor([sequence[-max(1, context // 2) :] for sequence in sequences])
                state, new_tokens = self.trunk.initial_state(num_return_sequences), recent
            logits = next_logits(new_tokens.view(num_return_sequences, -1), state)

    @torch.inference_mode()
    def search(
        self,
        prompt: str | Sequence[int],
        max_new_tokens: int = 100,
        beams: int = 4,
        stop: Sequence[str] = (),
        length_penalty: float = 1.0,
    ) -> list[tuple[str, float]]:
        """The likeliest continuations by beam search, the best first: (new characters, score), at most `beams` of them.

        The score is the sum of ln p of the tokens divided by their number ** `length_penalty`; see `beam_search`. Text is cut
        before a string of `stop`. Of a prompt that leaves no room in the context the end counts, half a context of it; a sequence
        also ends where the context is full.
        """
        check_stop(stop)
        context = self.trunk.context
        prompt_ids = self.prompt_ids(prompt)[-max(1, context // 2, context + 1 - max_new_tokens) :]
        max_new_tokens = min(max_new_tokens, context + 1 - len(prompt_ids))
        state, logits = self._start(prompt_ids)
        next_logits = self._fast_next_logits(beams)

        def advance(rows: Tensor, tokens: Tensor) -> Tensor:
            state.select_rows(rows)
            return next_logits(tokens[:, None], state).log_softmax(-1)

        (hypotheses,) = beam_search(
            logits.log_softmax(-1), advance, beams, max_new_tokens, self.eos_token_ids, length_penalty
        )
        texts = []
        for score, tokens in hypotheses:
            stream = TextStream(self.tokenizer, prompt_ids, stop, self.eos_token_ids)
            texts.append(("".join([*map(stream.add, tokens), stream.finish()]), score))
        return texts

    def next_logits(
        self,
        tokens: Tensor,
        state: KVCache,
        trunk: nn.Module | None = None,
        head: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """float32 [B, V] of the token behind these, int64 [B, T], which come after those in the cache; `trunk` and `head` may
        be copies of the model's own."""
        features = (trunk or self.trunk)(tokens.to(self.device), state).layers["tokens"][:, -1]
        logits = (head or partial(self.signals["next-token"].logits, self.trunk))(features).float()
        logits[:, self.tokenizer.vocab_size :] = -torch.inf  # ids that stand for no token
        return logits

    def _fast_next_logits(self, rows: int) -> Callable[[Tensor, KVCache], Tensor]:
        """`next_logits` of so many sequences, by copies that are faster for one token of each; without a second copy of the weights
        where it would take more than half of the free memory."""
        if sum(p.numel() * p.element_size() for p in self.parameters()) > available_memory() // 2:
            rows = 1
        head = linear_function(self.signals["next-token"].head_weight(self.trunk), None, rows)
        return partial(self.next_logits, trunk=inference_copy(self.trunk, rows), head=head)

    def _start(self, prompt_ids: Sequence[int], rows: int = 1) -> tuple[KVCache, Tensor]:
        """The cache of the prompt, whose end counts where it is longer than the context, and the logits behind it, [rows, V]."""
        self.require_signal("next-token", "generate")
        recent = torch.tensor([list(prompt_ids)[-self.trunk.context :]])
        state = self.trunk.initial_state(1)
        logits = self.next_logits(recent, state)
        if rows > 1:  # the same prompt is computed once
            state.select_rows(torch.zeros(rows, dtype=torch.long, device=self.device))
        return state, logits.expand(rows, -1)

    def prompt_ids(self, prompt: str | Sequence[int]) -> list[int]:
        """The tokens of a prompt, in whose text no special token is parsed. The token that begins a text stands before it where the
        tokenizer puts it there by itself, or where the prompt is empty."""
        if not isinstance(prompt, str):
            return list(prompt) or [self._start_token_id]
        ids = self.tokenizer.encode(prompt, parse_special=False)
        return ids if ids and self.tokenizer.start_token_id is None else [self._start_token_id, *ids]

    def chat_ids(self, text: str) -> list[int]:
        """The tokens of a chat in which a user says the text, by the model's own chat template, as a prompt.

        Raises CaudexError for a model without a template, and for a template that fails; see `encode_chat`.
        """
        if not self.spec.chat_template:
            raise CaudexError("this model brings no chat template; generate without --chat, or import one that does.")
        return encode_chat(self.tokenizer, self.spec.chat_template, text, self.spec.eos_token_ids)

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
        """What stands before a text: the tokenizer's own token for it, or the end of another text."""
        tokenizer = self.tokenizer
        return next((id for id in (tokenizer.start_token_id, tokenizer.eos_token_id) if id is not None), 0)
