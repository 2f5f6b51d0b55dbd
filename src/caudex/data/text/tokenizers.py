"""From text to numbers and back: byte-level BPE, WordPiece, characters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from caudex.core.disk import write_atomically
from caudex.data.text import corpora, vocabularies

FILE = "tokenizer.json"
KINDS = {"BPE": "bpe", "WordPiece": "wordpiece"}
OWN = (vocabularies.END, vocabularies.UNKNOWN)


class Tokenizer:
    """A vocabulary and how text is cut into it. `kind` is bpe, wordpiece, characters, or another's own.

    The ids of the special tokens (`end`, `pad`, `unknown`, `cls`, `sep`, `mask`) are None where it has none; every
    kind that is learned here has an `end`, which closes a document. Ids lie in [0, size).
    """

    def __init__(self, backend):
        backend.no_truncation()  # published ones may cut texts to the length of their model
        backend.no_padding()
        self.backend = backend
        self.description = json.loads(backend.to_str())
        self.vocabulary: dict[str, int] = backend.get_vocab()
        self.size = 1 + max(self.vocabulary.values())
        self.end = self._first("<|endoftext|>", "</s>", "<|end_of_text|>", "[SEP]")
        self.pad = self._first("[PAD]", "<pad>", "<|padding|>")
        self.unknown = self._first("[UNK]", "<unk>", vocabularies.UNKNOWN)
        self.cls, self.sep = self._first("[CLS]", "<s>"), self._first("[SEP]", "</s>")
        self.mask = self._first("[MASK]", "<mask>")
        kind = self.description["model"].get("type", "BPE")
        single = kind == "WordLevel" and all(len(token) == 1 for token in self.vocabulary if token not in OWN)
        self.kind = "characters" if single and self.unknown is not None else KINDS.get(kind, kind.lower())

    def __reduce__(self):
        return type(self), (self.backend,)

    @classmethod
    def learn(cls, kind: str, documents: Iterable[tuple[int, str]], vocabulary: int = 0) -> Tokenizer:
        """A vocabulary for the documents, of at most so many tokens; 0 takes what is usual for the kind.

        bpe: byte-level, as GPT-2's (Radford et al. 2019, section 2.2). wordpiece: lower-cased, as BERT's (Devlin et
        al. 2019, section 3; Schuster and Nakajima 2012). characters: all there are, or the most frequent. The same
        documents give the same vocabulary. Raises CaudexError for a vocabulary that cannot hold the single characters.
        """
        return cls(vocabularies.learn(kind, documents, vocabulary))

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """What `save` wrote, or a published vocabulary: tokenizer.json; GPT-2's vocab.json and merges.txt (or
        encoder.json and vocab.bpe); BERT's vocab.txt; or by name, `gpt2`, which is fetched. Only data is read, no
        code. CaudexError if none can be."""
        named = folder in corpora.MODELS and not Path(folder).exists()
        return cls(vocabularies.published(corpora.corpus_folder(folder) if named else Path(folder)))

    @classmethod
    def of(cls, description: dict) -> Tokenizer:
        """From what `description` says of another."""
        return cls(vocabularies.library().Tokenizer.from_str(json.dumps(description)))

    def save(self, folder: str | Path) -> None:
        """As tokenizer.json, which the libraries tokenizers and transformers read too."""
        write_atomically(Path(folder) / FILE, self.backend.to_str(pretty=True))

    def encode(self, text: str, specials: bool = True) -> list[int]:
        """The ids of a text, nothing added. Without `specials` a text that spells out a special token, such as [SEP],
        does not get it: so should text be read that anybody may have written."""
        return self.encode_many([text], specials)[0]

    def encode_many(self, texts: Sequence[str], specials: bool = True) -> list[list[int]]:
        if self.kind == "characters" and not specials:
            return [self._characters(text).tolist() for text in texts]
        self.backend.encode_special_tokens = not specials
        return [each.ids for each in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def array(self, text: str) -> np.ndarray:
        """uint32 [T]: the ids of a text of a corpus, in which no special token is looked for."""
        if self.kind == "characters":
            return self._characters(text)
        return np.array(self.encode(text, specials=False), dtype=np.uint32)

    def decode(self, ids: Iterable[int], specials: bool = True) -> str:
        """The text; special tokens are written out, or left out."""
        return self.backend.decode([int(i) for i in ids], skip_special_tokens=not specials)

    def token(self, id: int) -> str | None:
        """As the vocabulary spells it; None for a number that stands for nothing."""
        return self.backend.id_to_token(int(id))

    @cached_property
    def continues(self) -> np.ndarray:
        """bool [size]: pieces that go on with a word (for whole-word masking). In byte-level BPE a word begins with its
        space, so that the first word of a line counts as going on; single characters never do."""
        if self.kind == "characters":
            return np.zeros(self.size, dtype=bool)
        if self.kind == "wordpiece":
            prefix = self.description["model"].get("continuing_subword_prefix") or "##"
            return self._table(lambda token, text: token.startswith(prefix))
        return self._table(lambda token, text: token[0] not in "▁Ġ" and (text[:1].isalnum() or text[:1] == "\ufffd"))

    @cached_property
    def ends_sentence(self) -> np.ndarray:
        """bool [size]: pieces after which a new sentence may begin: they end with . ! or ?, or have a line's end."""
        return self._table(lambda token, text: "\n" in text or text.rstrip().endswith((*".!?\u3002\uff01\uff1f",)))

    @cached_property
    def fingerprint(self) -> str:
        """Tells tokenizers apart that give other numbers: of the tokens, the merges and how text is prepared."""
        model = self.description["model"]
        merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model.get("merges", [])]
        prepared = [self.description.get(part) or {} for part in ("normalizer", "pre_tokenizer")]
        prepared[1] = {name: value for name, value in prepared[1].items() if name != "trim_offsets"}  # not of numbers
        told = [self.kind, sorted(self.vocabulary.items(), key=lambda pair: pair[1]), merges, prepared]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def _characters(self, text: str) -> np.ndarray:
        points = np.frombuffer(text.encode("utf-32-le", errors="replace"), dtype=np.uint32)
        return self._of_point[points]

    @cached_property
    def _of_point(self) -> np.ndarray:
        """uint32 [0x110000]: the id of each character of Unicode; a hundred times as fast as looking for words."""
        table = np.full(0x110000, self.unknown, dtype=np.uint32)
        for token, id in self.vocabulary.items():
            if len(token) == 1:
                table[ord(token)] = id
        return table

    def _table(self, holds) -> np.ndarray:
        table = np.zeros(self.size, dtype=bool)
        special = {self.end, self.pad, self.unknown, self.cls, self.sep, self.mask}
        for token, id in self.vocabulary.items():
            if id not in special and token:
                text = token if self.kind in ("wordpiece", "characters") else self.backend.decode([id])
                table[id] = holds(token, text)
        return table

    def _first(self, *tokens: str) -> int | None:
        return next((self.vocabulary[token] for token in tokens if token in self.vocabulary), None)
