"""Generation beside transformers on the same weights in float32, the limit of memory traffic, and llama.cpp: tokens a second.

    caudex import smollm2 --run runs/smollm2
    python benchmarks/generation.py runs/smollm2        # some five minutes; writes results/generation.csv

One thread; temperature 0.8 and top-p 0.95 for both, and greedy. The ways take turns, and the median over turns counts. Processor
seconds are counted, so that a busy machine disturbs less. `--llama-cpp MODEL.gguf` adds a row, where xllamacpp is installed: its
weights have fewer bits, so it is no peer at the same precision.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transformers

from caudex.core.system import load

PROMPT = "The history of the city begins with"
BATCHES, SAMPLING = (1, 16), {"greedy": (0.0, 1.0), "sampled": (0.8, 0.95)}


def generators(model, published, batch: int, temperature: float, top_p: float, tokens: int) -> dict[str, Callable]:
    """For each way a function that adds `tokens` tokens to `batch` copies of the prompt."""
    ids = model.prompt_ids(PROMPT)
    prompt = torch.tensor([ids])
    drawn = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    settings = drawn if temperature else {"do_sample": False}

    def generate_caudex() -> None:
        list(model.generate_tokens(ids, tokens, temperature, top_p, batch))

    def generate_transformers() -> None:
        published.generate(prompt.expand(batch, -1), max_new_tokens=tokens, pad_token_id=0, **settings)

    return {"caudex": generate_caudex, "transformers": generate_transformers}


def open_published(model, folder: Path):
    """The same weights in transformers; no token ends a text, here and there."""
    model.export(folder)
    published = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    published.generation_config = transformers.GenerationConfig()
    type(model).eos_token_ids = ()
    return published


def seconds_per_token(ways: dict[str, Callable], tokens: int, turns: int) -> dict[str, float]:
    """Processor seconds of one step: the median over turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, generate in ways.items():
            started = time.process_time()
            generate()
            seconds[name].append((time.process_time() - started) / tokens)
    return {name: statistics.median(each) for name, each in seconds.items()}


def traffic_limit(model, turns: int) -> float:
    """Seconds that reading all weights once takes: no step at this precision can be faster."""
    weights = torch.ones(sum(p.numel() for p in model.parameters()))
    times = []
    for _ in range(turns):
        started = time.process_time()
        weights.sum()
        times.append(time.process_time() - started)
    return min(times)


def llama_cpp_seconds(file: str, tokens: int) -> float:
    """Processor seconds a token of llama.cpp on a GGUF file, one thread."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx = file, 512
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    request = {"prompt": PROMPT, "n_predict": tokens, "temperature": 0.0, "ignore_eos": True}
    server.handle_completions(request)
    started = time.process_time()
    server.handle_completions(request)
    return (time.process_time() - started) / tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--llama-cpp", metavar="MODEL.gguf")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, rows = load(arguments.run), []
    with tempfile.TemporaryDirectory() as folder:
        published = open_published(model, Path(folder))
    limit = traffic_limit(model, 2 * arguments.turns)
    for batch in BATCHES:
        for name, (temperature, top_p) in SAMPLING.items():
            ways = generators(model, published, batch, temperature, top_p, arguments.tokens)
            seconds = seconds_per_token(ways, arguments.tokens, arguments.turns)
            speeds = {way: batch / each for way, each in (seconds | {"limit of memory traffic": limit}).items()}
            ratio = round(speeds["caudex"] / speeds["transformers"], 2)
            rows += [
                (batch, name, way, round(speed, 1), ratio if way == "caudex" else "") for way, speed in speeds.items()
            ]
            print(*rows[-3:], sep="\n", flush=True)
    if arguments.llama_cpp:
        speed = 1 / llama_cpp_seconds(arguments.llama_cpp, arguments.tokens)
        rows.append((1, "greedy", "llama.cpp on the GGUF's own bits", round(speed, 1), ""))
        print(rows[-1])
    with Path("results/generation.csv").open("w", newline="") as file:
        header = ("batch", "tokens are", "way", "tokens a processor second", "ratio to transformers")
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
