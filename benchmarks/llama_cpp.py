"""Processor seconds a token of llama.cpp on a GGUF file, greedy, one thread; `generation.py` runs it in an environment of its own.

python -m venv llama && llama/bin/pip install xllamacpp
llama/bin/python benchmarks/llama_cpp.py MODEL.gguf PROMPT TOKENS
"""

import sys
import time

import xllamacpp


def main() -> None:
    file, prompt, tokens = sys.argv[1], sys.argv[2], int(sys.argv[3])
    parameters = xllamacpp.CommonParams()
    parameters.model.path, parameters.n_ctx, parameters.n_parallel = file, 512, 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    request = {"prompt": prompt, "n_predict": tokens, "temperature": 0.0, "ignore_eos": True, "cache_prompt": False}
    server.handle_completions(request)
    started = time.process_time()
    server.handle_completions(request)
    print((time.process_time() - started) / tokens)


if __name__ == "__main__":
    main()
