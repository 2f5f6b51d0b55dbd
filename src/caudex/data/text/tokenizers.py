"""From text to numbers and back: byte-level BPE, WordPiece, characters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from caudex.core.disk import write_atomically
from caudex.core.gguf_header import find_gguf, read_gguf_header
from caudex.data.text import corpora, tokenizer_files, vocabularies
from caudex.data.text.gguf_tokenizer import gguf_tokenizer_config

TOKENIZER_FILE = "tokenizer.json"
MODEL_KINDS = {"BPE": "bpe", "WordPiece": "wordpiece"}
CHARACTER_SPECIAL_TOKENS = (tokenizer_files.EOS_TOKEN, tokenizer_files.UNK_TOKEN)


class Tokenizer:
    """A vocabulary and how text is cut into it. `kind` is bpe, wordpiece, characters, or another type of tokenizers.

    The ids of special tokens (`eos_token_id`, `pad_token_id`, ...) are None where it has none; every kind that is
    trained here has an `eos_token_id`, which closes a document. `start_token_id` is what stands before a text. Ids lie in [0, vocab_size).
    """

    def __init__(self, backend):
        backend.no_truncation()  # published ones may cut texts to the length of their model
        backend.no_padding()
        self.backend = backend
        self.config = json.loads(backend.to_str())
        self.vocab: dict[str, int] = backend.get_vocab()
        self.vocab_size = 1 + max(self.vocab.values())
        self.eos_token_id = self._first_id("<|endoftext|>", "</s>", "<|end_of_text|>", "[SEP]")
        self.pad_token_id = self._first_id("[PAD]", "<pad>", "<|padding|>")
        self.unk_token_id = self._first_id("[UNK]", "<unk>", tokenizer_files.UNK_TOKEN)
        self.cls_token_id, self.sep_token_id = self._first_id("[CLS]", "<s>"), self._first_id("[SEP]", "</s>")
        self.mask_token_id = self._first_id("[MASK]", "<mask>")
        kind = self.config["model"].get("type", "BPE")
        self.start_token_id = self._first_added_id()
        single = kind == "WordLevel" and all(
            len(token) == 1 for token in self.vocab if token not in CHARACTER_SPECIAL_TOKENS
        )
        self.kind = "characters" if single and self.unk_token_id is not None else MODEL_KINDS.get(kind, kind.lower())

    def __reduce__(self):
        return type(self), (self.backend,)

    @classmethod
    def train(cls, kind: str, documents: Iterable[tuple[int, str]], vocab_size: int = 0) -> Tokenizer:
        """A vocabulary for the documents, of at most `vocab_size` tokens; 0 takes the usual size of the kind.

        bpe: byte-level, as GPT-2's (Radford et al. 2019, section 2.2). wordpiece: lower-cased, as BERT's (Devlin et
        al. 2019, section 3; Schuster and Nakajima 2012). characters: all there are, or the most frequent. The same
        documents give the same vocabulary. Raises CaudexError for a vocabulary that cannot hold the single characters.
        """
        return cls(vocabularies.train_tokenizer(kind, documents, vocab_size))

    @classmethod
    def load(cls, folder: str | Path) -> Tokenizer:
        """What `save` wrote, or a published vocabulary: tokenizer.json; GPT-2's vocab.json and merges.txt (or
        encoder.json and vocab.bpe); BERT's vocab.txt; a GGUF file; or by name, `gpt2`, which is fetched. Only data is
        read, no code. CaudexError if none can be."""
        is_name = folder in corpora.PRETRAINED and not Path(folder).exists()
        path = corpora.corpus_folder(folder) if is_name else Path(folder)
        if (file := find_gguf(path)) is not None:
            return cls(tokenizer_files.parse_tokenizer(gguf_tokenizer_config(read_gguf_header(file)), file))
        return cls(tokenizer_files.load_tokenizer(path))

    @classmethod
    def from_config(cls, config: dict) -> Tokenizer:
        """From the `config` of another: the content of its tokenizer.json."""
        return cls(tokenizer_files.parse_tokenizer(config, "spec.json"))

    def save(self, folder: str | Path) -> None:
        """As tokenizer.json, which the libraries tokenizers and transformers read too."""
        write_atomically(Path(folder) / TOKENIZER_FILE, self.backend.to_str(pretty=True))

    def encode(self, text: str, parse_special: bool = True) -> list[int]:
        """The ids of a text, nothing added. Without `parse_special` a text that spells out a special token, such as [SEP],
        does not get it: so should text be read that anybody may have written."""
        return self.encode_batch([text], parse_special)[0]

    def encode_batch(self, texts: Sequence[str], parse_special: bool = True) -> list[list[int]]:
        if self.kind == "characters" and not parse_special:
            return [self._encode_characters(text).tolist() for text in texts]
        self.backend.encode_special_tokens = not parse_special
        return [encoding.ids for encoding in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def encode_array(self, text: str) -> np.ndarray:
        """uint32 [T]: the ids of a text of a corpus, in which no special token is parsed."""
        if self.kind == "characters":
            return self._encode_characters(text)
        return np.array(self.encode(text, parse_special=False), dtype=np.uint32)

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = False) -> str:
        """The text; special tokens are written out, or left out."""
        return self.backend.decode([int(i) for i in ids], skip_special_tokens=skip_special_tokens)

    def id_to_token(self, id: int) -> str | None:
        """As the vocabulary spells it; None for an id that stands for nothing."""
        return self.backend.id_to_token(int(id))

    @cached_property
    def special_token_ids(self) -> set[int]:
        ids = (
            self.eos_token_id,
            self.pad_token_id,
            self.unk_token_id,
            self.cls_token_id,
            self.sep_token_id,
            self.mask_token_id,
        )
        return {id for id in ids if id is not None}

    @cached_property
    def is_continuation(self) -> np.ndarray:
        """bool [vocab_size]: subwords that continue a word (for whole-word masking). In byte-level BPE a word begins with
        its space, so that the first word of a line counts as a continuation; single characters never do."""
        if self.kind == "characters":
            return np.zeros(self.vocab_size, dtype=bool)
        if self.kind == "wordpiece":
            prefix = self.config["model"].get("continuing_subword_prefix") or "##"
            return self._token_mask(lambda token, text: token.startswith(prefix))
        return self._token_mask(
            lambda token, text: token[0] not in "▁Ġ" and (text[:1].isalnum() or text[:1] == "\ufffd")
        )

    @cached_property
    def ends_sentence(self) -> np.ndarray:
        """bool [vocab_size]: tokens after which a new sentence may begin: they end with . ! or ?, or have a line end."""
        return self._token_mask(lambda token, text: "\n" in text or text.rstrip().endswith((*".!?\u3002\uff01\uff1f",)))

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that decides the ids: the tokens, the merges and how text is prepared."""
        model = self.config["model"]
        merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model.get("merges", [])]
        preparation = [self.config.get(part) or {} for part in ("normalizer", "pre_tokenizer")]
        preparation[1] = {key: option for key, option in preparation[1].items() if key != "trim_offsets"}  # not of ids
        parts = [self.kind, sorted(self.vocab.items(), key=lambda pair: pair[1]), merges, preparation]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _encode_characters(self, text: str) -> np.ndarray:
        points = np.frombuffer(text.encode("utf-32-le", errors="replace"), dtype=np.uint32)
        return self._id_of_code_point[points]

    @cached_property
    def _id_of_code_point(self) -> np.ndarray:
        """uint32 [0x110000]: the id of each character of Unicode; a hundred times as fast as looking for words."""
        ids = np.full(0x110000, self.unk_token_id, dtype=np.uint32)
        for token, id in self.vocab.items():
            if len(token) == 1:
                ids[ord(token)] = id
        return ids

    def _token_mask(self, condition) -> np.ndarray:
        mask = np.zeros(self.vocab_size, dtype=bool)
        for token, id in self.vocab.items():
            if id not in self.special_token_ids and token:
                text = token if self.kind in ("wordpiece", "characters") else self.backend.decode([id])
                mask[id] = condition(token, text)
        return mask

    def _first_added_id(self) -> int | None:
        """The token that its own post-processor puts before a text, as Llama's does."""
        added, plain = (self.backend.encode("a", add_special_tokens=added).ids for added in (True, False))
        return added[0] if len(added) > len(plain) and added[:1] != plain[:1] else None

    def _first_id(self, *tokens: str) -> int | None:
        return next((self.vocab[token] for token in tokens if token in self.vocab), None)
