"""Memory and time of a token stream: one text file, so large that it must not be held, is tokenised by some processes.

    python benchmarks/stream_memory.py [MEGABYTES = 2000] [WORKERS = 2]

Makes the file in a temporary folder, learns a vocabulary of 8,000, builds the stream, and prints the time of each and
the highest sum of RssAnon (memory that is no file's) over all processes, sampled twenty times a second.
"""

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from caudex.data.text.documents import open_documents
from caudex.data.text.token_stream import open_token_stream
from caudex.data.text.tokenizers import Tokenizer

MAX_MEGABYTES = 1_000  # MB: more is a failure


def write_corpus(file: Path, megabytes: int) -> None:
    """Lines of random words, the frequent ones short, as Zipf found; 10 MB at a time."""
    generator = np.random.default_rng(0)
    letters, words = np.array(list("etaoinshrdlucmfwypvbgk")), []
    for rank in range(1, 50_001):
        words.append("".join(generator.choice(letters, 2 + int(np.log2(rank) / 2) + generator.integers(3))))
    chances = 1 / np.arange(1, 50_001)
    with file.open("w") as out:
        while file.stat().st_size < megabytes * 1_000_000:
            drawn = generator.choice(50_000, 1_500_000, p=chances / chances.sum())
            line = 0
            while line < len(drawn):
                length = int(generator.integers(5, 40))
                out.write(" ".join(words[word] for word in drawn[line : line + length]).capitalize() + ".\n")
                line += length
            out.flush()


class MemoryMonitor(threading.Thread):
    """The highest sum of RssAnon of this process and those it started, in MB."""

    def __init__(self):
        super().__init__(daemon=True)
        self.highest, self.process_memory, self.stopped = 0.0, [], threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.05):
            process_memory = [anonymous_memory(process) for process in process_tree(os.getpid())]
            if sum(process_memory) > self.highest:
                self.highest, self.process_memory = sum(process_memory), [round(part) for part in process_memory]


def process_tree(process: int) -> list[int]:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return [process]
    return [process, *(descendant for child in children for descendant in process_tree(int(child)))]


def anonymous_memory(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def main(megabytes: int = 2_000, workers: int = 2) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "corpus.txt"
        write_corpus(file, megabytes)
        documents = open_documents(str(file))
        start, monitor = time.perf_counter(), MemoryMonitor()
        monitor.start()
        tokenizer = Tokenizer.train("bpe", documents, 8_000)
        trained, training_memory = time.perf_counter(), monitor.highest
        stream = open_token_stream(documents, tokenizer, Path(folder) / "stream", workers)
        ended = time.perf_counter()
        monitor.stopped.set()
        monitor.join()
    print(f"{megabytes:,} MB in one file, {workers} processes: {len(stream):,} tokens")
    print(f"vocabulary of {tokenizer.vocab_size:,}: {trained - start:.0f} s, at most {training_memory:.0f} MB")
    print(f"stream: {ended - trained:.0f} s, {megabytes / (ended - trained):.1f} MB/s")
    print(f"highest RssAnon of all processes: {monitor.highest:.0f} MB {monitor.process_memory}")
    sys.exit(monitor.highest > MAX_MEGABYTES)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
