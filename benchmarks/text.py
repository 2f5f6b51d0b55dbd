"""Training and generation beside transformers and a plain loop in nanoGPT's manner: tokens a second, as ratios.

    python benchmarks/text.py            # some five minutes; writes results/text.csv

The same sizes, batches, precision and threads; each way takes turns in one process, and the median over turns counts.
"""

from __future__ import annotations

import csv
import statistics
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import AdamW
from transformers import GPT2Config, GPT2LMHeadModel

from caudex.core.learner import Learner
from caudex.data import TokenBatch
from caudex.signals import NextToken
from caudex.trunks import GPT2_LAYOUT, Transformer

VOCABULARY, CONTEXT, BATCH, TURNS, STEPS = 2048, 128, 32, 7, 3
SIZES = {"4 blocks of 128": (4, 128, 4), "6 blocks of 256": (6, 256, 8)}


class Plain(nn.Module):
    """A small GPT as one would write it down: no cache, no trunk, no heads of one's own."""

    def __init__(self, depth: int, width: int, heads: int):
        super().__init__()
        self.token_embedding, self.position_embedding = nn.Embedding(VOCABULARY, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.ModuleList(PlainBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens, targets):
        x = self.token_embedding(tokens) + self.position_embedding(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = F.linear(self.norm(x), self.token_embedding.weight)
        return F.cross_entropy(logits.view(-1, VOCABULARY), targets.reshape(-1))


class PlainBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.inner, self.outer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (y.view(B, T, self.heads, -1).transpose(1, 2) for y in self.inner(self.norm1(x)).split(C, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.outer(y.transpose(1, 2).contiguous().view(B, T, C))
        return x + self.feed(self.norm2(x))


def make_hf_model(depth: int, width: int, heads: int) -> GPT2LMHeadModel:
    sizes = {"vocab_size": VOCABULARY, "n_positions": CONTEXT, "n_embd": width, "n_layer": depth, "n_head": heads}
    no_dropout = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    return GPT2LMHeadModel(GPT2Config(**sizes, **no_dropout, bos_token_id=0, eos_token_id=None))


def training_steps(depth: int, width: int, heads: int) -> dict:
    """For each contestant a function that takes one step on (tokens, targets)."""
    learner = Learner(
        Transformer(VOCABULARY, CONTEXT, width, depth, heads, **GPT2_LAYOUT),
        {"next-token": NextToken()},
        partial(AdamW, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True),
    ).train()
    hf_model, plain = make_hf_model(depth, width, heads).train(), Plain(depth, width, heads).train()
    optimizers = [AdamW(net.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1) for net in (hf_model, plain)]

    def step(loss, net, optimizer):
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def step_transformers(tokens, targets):
        logits = hf_model(tokens).logits
        step(F.cross_entropy(logits.flatten(0, 1), targets.flatten()), hf_model, optimizers[0])

    return {
        "caudex": lambda tokens, targets: learner.step({"next-token": TokenBatch(tokens, targets, tokens[:, 0])}),
        "transformers": step_transformers,
        "plain loop": lambda tokens, targets: step(plain(tokens, targets), plain, optimizers[1]),
    }


def generators(depth: int, width: int, heads: int, batch: int, max_new_tokens: int) -> dict:
    """For each contestant a function that adds `max_new_tokens` tokens to `batch` prompts, greedily, with its cache."""
    from caudex.models.sampling import sample_tokens

    trunk, head = Transformer(VOCABULARY, CONTEXT, width, depth, heads, **GPT2_LAYOUT).eval(), NextToken()
    head.build(trunk)
    hf_model = make_hf_model(depth, width, heads).eval()
    prompt = torch.randint(1, VOCABULARY, (batch, 16))

    @torch.inference_mode()
    def generate_caudex():
        state, new_tokens = trunk.initial_state(batch), prompt
        for _ in range(max_new_tokens):
            logits = head.logits(trunk, trunk(new_tokens, state).layers["tokens"][:, -1])
            new_tokens = sample_tokens(logits, 0, 1.0, None)[:, None]

    def generate_transformers():
        hf_model.generate(prompt, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=0, use_cache=True)

    return {"caudex": generate_caudex, "transformers": generate_transformers}


def measure_throughput(contestants: dict, tokens: int, *inputs) -> dict[str, float]:
    """Tokens a second of each contestant: the median over turns."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for contestant in contestants.values():
        contestant(*inputs)  # warm
    for _ in range(TURNS):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            for _ in range(STEPS):
                contestant(*inputs)
            seconds[name].append((time.perf_counter() - started) / STEPS)
    return {name: tokens / statistics.median(each) for name, each in seconds.items()}


def main() -> None:
    torch.manual_seed(0)
    rows = []
    for name, size in SIZES.items():
        tokens, targets = (torch.randint(0, VOCABULARY, (BATCH, CONTEXT)) for _ in range(2))
        cases = {"training": measure_throughput(training_steps(*size), BATCH * CONTEXT, tokens, targets)}
        for batch in (1, 16):
            cases[f"generation, batch {batch}"] = measure_throughput(generators(*size, batch, 100), 100 * batch)
        for what, speeds in cases.items():
            for other in speeds.keys() - {"caudex"}:
                ratio = speeds["caudex"] / speeds[other]
                rows.append((name, what, other, round(speeds["caudex"]), round(speeds[other]), round(ratio, 2)))
                print(*rows[-1], sep="\t", flush=True)
    with Path("results/text.csv").open("w", newline="") as file:
        header = ("size", "what", "peer", "caudex tokens/s", "peer tokens/s", "ratio")
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
