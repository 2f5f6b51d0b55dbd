"""Generation beside transformers on the same weights in float32, the limit of memory traffic, and llama.cpp: tokens a second.

    caudex import smollm2 --run runs/smollm2
    python benchmarks/generation.py runs/smollm2            # some two minutes; writes results/generation.csv
    python benchmarks/generation.py runs/smollm2 --llama-cpp llama/bin/python MODEL.gguf

One thread; greedy, and sampled at temperature 0.8 with top-p 0.95. The ways take turns, and the median over tokens counts. Processor
seconds are counted, so that a busy machine disturbs less. Each batch is a piece: rows of other batches stay in the table.
llama.cpp reads the GGUF's own bits, so it is no peer at the same precision.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
import transformers

from caudex.core.system import load

PROMPT = "The history of the city begins with"
FILE, SAMPLING = Path("results/generation.csv"), {"greedy": (0.0, 1.0), "sampled": (0.8, 0.95)}


class TokenTimes(transformers.generation.streamers.BaseStreamer):
    """Processor time when each token came; the first is that of the prompt."""

    def __init__(self):
        self.times: list[float] = []

    def put(self, value) -> None:
        self.times.append(time.process_time())

    def end(self) -> None:
        pass


def generators(model, published, batch: int, temperature: float, top_p: float, tokens: int) -> dict[str, Callable]:
    """For each way a function that adds `tokens` tokens to `batch` copies of the prompt, and returns when each came."""
    ids = model.prompt_ids(PROMPT)
    prompt = torch.tensor([ids])
    drawn = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0}
    settings = drawn if temperature else {"do_sample": False}

    def generate_caudex() -> list[float]:
        return [time.process_time() for _ in model.generate_tokens(ids, tokens, temperature, top_p, batch)]

    def generate_transformers() -> list[float]:
        stream = TokenTimes()
        inputs = prompt.expand(batch, -1)
        published.generate(inputs, max_new_tokens=tokens, pad_token_id=0, streamer=stream, **settings)
        return stream.times[1:]

    return {"caudex": generate_caudex, "transformers": generate_transformers}


def open_published(model, folder: Path):
    """The same weights in transformers; no token ends a text, here and there."""
    model.export(folder)
    published = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    published.generation_config = transformers.GenerationConfig()
    type(model).eos_token_ids = ()
    return published


def seconds_per_token(ways: dict[str, Callable], turns: int) -> dict[str, float]:
    """Processor seconds between one token and the next: the median over all tokens of all turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, generate in ways.items():
            seconds[name] += [after - before for before, after in pairwise(generate())]
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


def measure_batch(model, published, batch: int, tokens: int, turns: int) -> list[tuple]:
    """Rows of the table."""
    limit, rows = traffic_limit(model, 2 * turns), []
    for name, (temperature, top_p) in SAMPLING.items():
        seconds = seconds_per_token(generators(model, published, batch, temperature, top_p, tokens), turns)
        ratio = round(seconds["transformers"] / seconds["caudex"], 2)
        for way, each in {**seconds, "limit of memory traffic": limit}.items():
            rows.append(
                (batch, name, way, round(1000 * each, 1), round(batch / each, 1), ratio if way == "caudex" else "")
            )
            print(*rows[-1], sep="\t", flush=True)
    return rows


def measure_llama_cpp(python: str, file: str, tokens: int) -> list[tuple]:
    command = [python, str(Path(__file__).with_name("llama_cpp.py")), file, PROMPT, str(tokens)]
    output = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    seconds = float(output.splitlines()[-1])
    return [(1, "greedy", "llama.cpp, the GGUF's own bits", round(1000 * seconds, 1), round(1 / seconds, 1), "")]


def write_rows(rows: list[tuple]) -> None:
    """Replace the rows of the table that have the same first three cells."""
    header = ("batch", "tokens are", "way", "ms a step", "tokens a processor second", "ratio to transformers")
    table = {}
    if FILE.exists():
        with FILE.open(newline="") as file:
            table = {tuple(row[:3]): row for row in list(csv.reader(file))[1:]}
    table |= {tuple(map(str, row[:3])): row for row in rows}
    with FILE.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *table.values()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--batch", type=int, nargs="+", default=(1, 16))
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--llama-cpp", nargs=2, metavar=("PYTHON", "MODEL.gguf"))
    arguments = parser.parse_args()
    if arguments.llama_cpp:
        write_rows(measure_llama_cpp(*arguments.llama_cpp, 2 * arguments.tokens))
        return
    torch.set_num_threads(1)
    model = load(arguments.run)
    with tempfile.TemporaryDirectory() as folder:
        published = open_published(model, Path(folder))
    for batch in arguments.batch:
        write_rows(measure_batch(model, published, batch, arguments.tokens, arguments.turns))


if __name__ == "__main__":
    main()
