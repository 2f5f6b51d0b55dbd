"""The flags of commands for texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg


@dataclass
class GenerateFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder of gpt, or of an imported language model"""
    prompt: Annotated[Positional[str], arg(metavar="PROMPT")] = ""
    """what is gone on with; best without a space at its end, for words bring theirs"""
    max_tokens: int = 100
    """tokens that are added at most"""
    temperature: float = 0.8
    """below 1 bolder, above 1 wilder; 0 always takes the likeliest token"""
    top_p: float = 0.95
    """draw from the likeliest tokens that together have this probability"""
    top_k: int = 0
    """draw from so many of the likeliest tokens; 0: from all that --top-p leaves"""
    stop: UseAppendAction[tuple[str, ...]] = ()
    """end a text before this string; give the flag again for further ones"""
    chat: bool = False
    """the prompt is what a user says to a model that was trained to chat; only the answer is printed"""
    beams: int = 0
    """instead of drawing, search for the likeliest text with so many beams"""
    num: int = 1
    """texts"""
    seed: int = 0
    """everything random follows from it"""


@dataclass
class FillFlags:
    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """a run folder of bert, or of an imported BERT"""
    text: Annotated[Positional[str], arg(metavar="TEXT")]
    """with [MASK] for each word that is to be told"""
    then: str | None = None
    """instead, the probability that this passage follows the text"""
    count: int = 5
    """words to show for each [MASK]"""


@dataclass
class ImportFlags:
    source: Annotated[Positional[Path], arg(metavar="MODEL")]
    """a folder with config.json, model.safetensors and a vocabulary: a GPT-2, GPT-Neo, BERT, DistilBERT, RoBERTa, Llama, Mistral,
    Qwen2 or Qwen3; or a GGUF file of the last four; or a packaged model: minilm, a BERT of six blocks, or smollm2, a Llama
    of thirty"""
    run: Path | None = None
    """folder of the run; default: the next free runs/imported-N"""
    start: Path | None = None
    """of a LoRA adapter (adapter_config.json): the run whose weights it is added to; also written --from"""
    convert: bool = False
    """also open pickled weights (.bin); of a pickle only tensors are read, no code of it is run"""


@dataclass
class SearchFlags:
    texts: Annotated[Positional[str], arg(metavar="TEXTS")]
    """a file or folder of .txt, .md, .jsonl, .csv, or a packaged set"""
    query: Annotated[Positional[str], arg(metavar="QUERY")]
    """in your own words"""
    count: int = 10
    """passages to show"""
    by: str = "both"
    """meaning, words (BM25), or both"""
    model: str | None = None
    """run whose features are compared; default: a packaged sentence encoder, MiniLM"""
    column: str | None = None
    """of a .jsonl or .csv: the column that holds the text; default: text"""
