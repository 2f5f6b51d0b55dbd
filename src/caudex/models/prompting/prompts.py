"""Prompts for classification: a template, a word for each class, examples before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from caudex.core.errors import CaudexError, counted
from caudex.data.text.prompts import PLACE, read_prompt
from caudex.models.causal_lm import CausalLM

SENTIMENT_TEMPLATE = "Review: {text}\nSentiment:"
SENTIMENT_WORDS = {"positive": "positive", "negative": "negative"}
SENTIMENT_EXAMPLES = (
    ("A moving film, beautifully acted from first to last.", "positive"),
    ("Two hours of noise without one idea; I nearly left.", "negative"),
    ("The battery died within a week and nobody answered my letters.", "negative"),
    ("Works exactly as promised, and the price is fair.", "positive"),
)
MIN_TEXT_TOKENS = 16
"""that a prompt must leave for a text"""


@dataclass(frozen=True)
class ClassificationPrompt:
    """`template` holds {text}; `words` is the word for each class; `shots` are (text, class) of the examples shown before."""

    template: str = SENTIMENT_TEMPLATE
    words: dict[str, str] = field(default_factory=lambda: dict(SENTIMENT_WORDS))
    shots: tuple[tuple[str, str], ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.words)

    def complete(self, text: str, word: str = "") -> str:
        """The prompt with its examples, and the word behind it."""
        blocks = [f"{self.template.replace('{text}', shot)} {self.words[label]}" for shot, label in self.shots]
        ending = self.template.replace("{text}", text) + (f" {word}" if word else "")
        return "\n\n".join([*blocks, ending])


def read_template(prompt: str) -> str:
    """The template itself, or the content of the file that it names, as `read_prompt`.

    Raises CaudexError for what is no template: it needs {text} once, and words besides.
    """
    template = read_prompt(prompt)
    if template.strip() == PLACE:
        raise CaudexError(
            f"--prompt {prompt} is {{text}} alone; write what the class's word answers, as in '{{text}} It was'."
        )
    if (count := template.count(PLACE)) > 1:
        raise CaudexError(
            f"--prompt {prompt[:60]!r} has {{text}} {counted(count, 'time')}; write it once, where the text stands, as in "
            "'Review: {text}\\nSentiment:'; the class's word comes behind the prompt."
        )
    return template


def parse_label_words(pairs: str) -> dict[str, str]:
    """{"good": "great", "bad": "terrible"} of good=great,bad=terrible. Raises CaudexError for what is no such list."""
    words: dict[str, str] = {}
    for pair in pairs.split(","):
        name, equals, word = (part.strip() for part in pair.partition("="))
        if not (name and equals and word):
            raise CaudexError(f"--labels {pairs}: {pair!r} is no class=word; write good=great,bad=terrible.")
        if name in words or word in words.values():
            raise CaudexError(f"--labels {pairs}: {name if name in words else word!r} stands there twice.")
        words[name] = word
    if len(words) < 2:
        raise CaudexError(f"--labels {pairs} has one class; a choice needs two, as in good=great,bad=terrible.")
    return words


def word_lengths(model: CausalLM, prompt: ClassificationPrompt) -> dict[str, int]:
    """How many tokens each word has behind the prompt."""
    return {word: len(ids) for word, ids in _word_tokens(model, prompt).items()}


def check_words(model: CausalLM, prompt: ClassificationPrompt, calibration: str) -> None:
    """Raises CaudexError where one word begins with the whole of another, which is never the less likely of the two, and where
    words of different length are compared without calibration."""
    tokens = _word_tokens(model, prompt)
    for word, ids in tokens.items():
        for other, other_ids in tokens.items():
            if word != other and other_ids[: len(ids)] == ids:
                raise CaudexError(
                    f"the label {other!r} begins with the tokens of {word!r}, so that {word!r} is always the likelier; choose "
                    "other words by --labels CLASS=WORD,CLASS=WORD."
                )
    if calibration == "none" and len(set(map(len, tokens.values()))) > 1:
        counts = ", ".join(f"{word!r} {len(ids)}" for word, ids in tokens.items())
        raise CaudexError(
            f"the labels have different numbers of tokens ({counts}), so that without calibration the shorter wins; take another "
            "--calibrate, or words of one length."
        )


def _word_tokens(model: CausalLM, prompt: ClassificationPrompt) -> dict[str, list[int]]:
    start = model.count_tokens(prompt.complete("x"))
    prompts = [prompt.complete("x", word) for word in prompt.words.values()]
    encoded = model.tokenizer.encode_batch(prompts, parse_special=False)
    return {word: ids[start:] for word, ids in zip(prompt.words.values(), encoded)}


def fit_context(
    model: CausalLM, prompt: ClassificationPrompt, texts: Sequence[str]
) -> tuple[ClassificationPrompt, list[str], int]:
    """(prompt, texts, how many of them were cut at their end) so that all fits into the context: examples that take more than
    half of it are left out, the last first.

    Raises CaudexError for a prompt that leaves no room for a text.
    """
    context, longest_word = model.trunk.context, max(prompt.words.values(), key=len)
    while prompt.shots and model.count_tokens(prompt.complete("", longest_word)) > context // 2:
        prompt = replace(prompt, shots=prompt.shots[:-1])
    room = context - model.count_tokens(prompt.complete("", longest_word)) - 4  # where parts meet, tokens may split
    if room < MIN_TEXT_TOKENS:
        raise CaudexError(
            f"the prompt takes {context - 4 - room:,} of the {context:,} tokens that the model sees, and leaves no room for a "
            "text; shorten it, or use a model with a longer context."
        )
    encoded = model.tokenizer.encode_batch(texts, parse_special=False)
    fitting = [
        text if len(ids) <= room else model.tokenizer.decode(ids[:room]).rstrip("\ufffd")
        for text, ids in zip(texts, encoded)
    ]
    return prompt, fitting, sum(len(ids) > room for ids in encoded)
