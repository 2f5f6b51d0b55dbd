"""What training on text leaves: a trunk over tokens that goes on with a text, scores texts, fills in what is hidden."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from caudex.core.disk import serialize_tensors, write_atomically
from caudex.core.errors import CaudexError
from caudex.core.learner import Learner
from caudex.core.specs import TextSpec
from caudex.data import Tokenizer, encode_texts, group_by_length, pad_sequences
from caudex.models.hf_layout import config_of, exported
from caudex.trunks import PaddedTokens, mean_pooling


class LanguageModel(nn.Module):
    """Texts to features, and what its heads can tell of them. Uses the averaged weights where the learner keeps them."""

    def __init__(self, learner: Learner, spec: TextSpec):
        super().__init__()
        self.trunk, self.signals = learner.averaged
        self.tokenizer, self.made, self.spec = Tokenizer.from_config(spec.tokenizer), spec.trunk, spec

    @property
    def device(self) -> torch.device:
        return self.trunk.token_embedding.weight.device

    def size(self, text: str) -> int:
        """Its number of tokens."""
        return len(self.tokenizer.encode(text, parse_special=False))

    def export(self, folder: Path) -> list[Path]:
        """As public GPT-2 or BERT folders are: config.json, model.safetensors, tokenizer.json; transformers opens it.

        Raises CaudexError for rotary places, which those layouts have not."""
        if self.trunk.position_embedding is None:
            raise CaudexError("a public folder of GPT-2 or BERT has learned places; train with --no-rotary to export.")
        kind = "gpt2" if self.trunk.causal else "bert"
        write_atomically(folder / "config.json", json.dumps(config_of(kind, self.trunk, self.made), indent=1) + "\n")
        write_atomically(folder / "model.safetensors", serialize_tensors(exported(self, kind), {"format": "pt"}))
        self.tokenizer.save(folder)
        return [folder / name for name in ("config.json", "model.safetensors", "tokenizer.json")]

    @torch.inference_mode()
    def mean_features(self, texts: Sequence[str], second: Sequence[str] | None = None, batch: int = 64) -> Tensor:
        """[N, W]: of each text, or pair of texts, the mean of its tokens' features; of what is longer than the context
        the beginning counts."""
        rows, found = (
            encode_texts(self.tokenizer, texts, second, self.trunk.context),
            torch.empty(len(texts), self.trunk.width),
        )
        for part in group_by_length(rows, batch):
            held = moved(pad_sequences([rows[i] for i in part]), self.device)
            found[part] = mean_pooling(self.trunk(held).layers["tokens"], held.lengths).cpu()
        return found

    # -- the next token ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def generate(
        self,
        prompt: str,
        most: int = 100,
        temperature: float = 1.0,
        top_p: float = 1.0,
        number: int = 1,
        seed: int = 0,
    ) -> Iterator[list[str]]:
        """Go on with the prompt: at each yield what has come to each of `number` texts, "" where none has.

        Draws from the likeliest tokens that together have `top_p` (Holtzman et al. 2020, section 3.1) at `temperature`;
        0 always takes the likeliest. A text ends where the model ends it, or after `most` tokens. What no longer fits
        into the context is forgotten, half a context at a time. Of a prompt longer than the context the end counts.
        """
        self.needs("next-token", "generate")
        tokenizer, context = self.tokenizer, self.trunk.context
        start = tokenizer.encode(prompt, parse_special=False)
        if not start:
            start = [tokenizer.eos_token_id if tokenizer.eos_token_id is not None else 0]
        texts = [list(start) for _ in range(number)]
        told, open_ = [tokenizer.decode(start)] * number, torch.ones(number, dtype=torch.bool)
        generator = torch.Generator().manual_seed(seed)
        state, waiting = self.trunk.initial_state(number), torch.tensor(start[-context:]).repeat(number, 1)
        for _ in range(most):
            if state.length + waiting.shape[1] > context:
                kept = [text[-max(1, context // 2) :] for text in texts]
                state, waiting = self.trunk.initial_state(number), torch.tensor(kept)
            last = self.trunk(waiting.to(self.device), state).layers["tokens"][:, -1]
            logits = self.signals["next-token"].logits(self.trunk, last).float().cpu()  # [N, V]
            logits[:, tokenizer.vocab_size :] = -torch.inf  # numbers that stand for no token
            waiting = chosen(logits, temperature, top_p, generator)[:, None]
            come = []
            for i, (text, token) in enumerate(zip(texts, waiting[:, 0].tolist())):
                text.append(token)
                open_[i] &= token != tokenizer.eos_token_id
                whole = tokenizer.decode(text, skip_special_tokens=True) if open_[i] else told[i]
                ready = not whole.endswith("\ufffd")  # else a character whose other bytes are still to come
                come.append(whole[len(told[i]) :] if ready else "")
                told[i] = whole if ready else told[i]
            yield come
            if not open_.any():
                return

    @torch.inference_mode()
    def likelihoods(self, pairs: Sequence[tuple[str, str]], batch: int = 32) -> tuple[Tensor, Tensor]:
        """ln p of each continuation behind what is given, and its number of tokens, [N] both.

        Raises CaudexError for a pair that does not fit into the context.
        """
        self.needs("next-token", "score texts")
        begin = [self.tokenizer.eos_token_id if self.tokenizer.eos_token_id is not None else 0]
        rows = []
        for given, continuation in pairs:
            before = begin + self.tokenizer.encode(given, parse_special=False)
            whole = begin + self.tokenizer.encode(given + continuation, parse_special=False)
            if len(whole) > self.trunk.context + 1:
                raise CaudexError(
                    f"{len(whole):,} tokens do not fit into the context of {self.trunk.context:,}: "
                    f"{(given + continuation)[:60]!r}...; shorten it, or use a model with a longer context."
                )
            rows.append((whole, min(len(before), len(whole) - 1)))
        found, counts = torch.zeros(len(rows)), torch.tensor([len(whole) - cut for whole, cut in rows])
        for part in group_by_length(rows, batch):
            tokens = pad_sequences([(rows[i][0], []) for i in part]).tokens.to(self.device)
            scores = self.signals["next-token"].logits(
                self.trunk, self.trunk(tokens[:, :-1]).layers["tokens"]
            )  # [B, T - 1, V]
            each = scores.float().log_softmax(-1).gather(-1, tokens[:, 1:, None]).squeeze(-1).cpu()
            for line, i in zip(each, part):
                whole, cut = rows[i]
                found[i] = line[cut - 1 : len(whole) - 1].sum()
        return found, counts

    # -- the hidden token, the next sentence -------------------------------------------------------------------

    @torch.inference_mode()
    def fill(self, text: str, count: int = 5) -> list[list[tuple[str, float]]]:
        """For each [MASK] of the text the likeliest tokens, with their probabilities."""
        self.needs("masked-token", "fill in")
        tokenizer = self.tokenizer
        tokens = [tokenizer.cls_token_id, *tokenizer.encode(text), tokenizer.sep_token_id]
        places = [i for i, token in enumerate(tokens) if token == tokenizer.mask_token_id]
        if not places:
            hidden = tokenizer.id_to_token(tokenizer.mask_token_id)
            raise CaudexError(
                f"{text!r} hides nothing; put {hidden} where a word is to be told, as in 'The man went to the {hidden}.'"
            )
        self._fits(tokens)
        made = self.trunk(torch.tensor([tokens], device=self.device)).layers["tokens"][0, places]
        best = self.signals["masked-token"].logits(self.trunk, made).softmax(-1).topk(count)
        return [
            [(tokenizer.id_to_token(token), share) for token, share in zip(ids, shares)]
            for ids, shares in zip(best.indices.tolist(), best.values.tolist())
        ]

    @torch.inference_mode()
    def follows(self, first: str, second: str) -> float:
        """The probability that the second passage follows the first."""
        self.needs("next-sentence", "tell whether one passage follows another")
        one, two = (self.tokenizer.encode(text, parse_special=False) for text in (first, second))
        tokens = [self.tokenizer.cls_token_id, *one, self.tokenizer.sep_token_id, *two, self.tokenizer.sep_token_id]
        self._fits(tokens)
        segments = torch.tensor([[0] * (len(one) + 2) + [1] * (len(two) + 1)], device=self.device)
        made = self.trunk(PaddedTokens(torch.tensor([tokens], device=self.device), segments)).pooled
        return self.signals["next-sentence"].head(made).softmax(-1)[0, 0].item()

    def needs(self, signal: str, what: str) -> None:
        """Raises CaudexError where the model has not learned this signal."""
        if signal not in self.signals:
            has = ", ".join(self.signals) or "no signal"
            raise CaudexError(f"this model cannot {what}: it learned {has}, and that takes {signal}.")

    def _fits(self, tokens: list[int]) -> None:
        if len(tokens) > self.trunk.context:
            raise CaudexError(
                f"the text has {len(tokens):,} tokens, this model sees {self.trunk.context:,}; give a shorter one."
            )


def chosen(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> Tensor:
    """A token for each row [N] of logits [N, V]."""
    if temperature == 0:
        return logits.argmax(1)
    shares, order = (logits / temperature).softmax(1).sort(dim=1, descending=True)
    before = shares.cumsum(1) - shares  # of those that are likelier
    shares = shares.masked_fill(before >= top_p, 0.0)
    return order.gather(1, shares.multinomial(1, generator=generator)).squeeze(1)


def moved(texts: PaddedTokens, device: torch.device) -> PaddedTokens:
    return PaddedTokens(*(part if part is None else part.to(device) for part in texts))
