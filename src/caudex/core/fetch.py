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

MAX_MEMBER_BYTES = 100_000_000
"""bytes; no member of an archive that is read here comes near"""
_TIMEOUT = 900  # seconds


@dataclass(frozen=True)
class Archive:
    """One version of a package; `sdist`: its texts are in the source distribution only."""

    installer: str  # pip or npm
    package: str
    version: str
    filename: str
    sha256: str
    sdist: bool = False


def cache_folder() -> Path:
    """The folder of downloads and of what is built from them: CAUDEX_CACHE, else ~/.cache/caudex."""
    return Path(os.environ.get("CAUDEX_CACHE") or Path.home() / ".cache" / "caudex").expanduser()


def fetch_archive(archive: Archive) -> Path:
    """The archive in the cache, fetched if it is not there.

    pip and npm know the user's registries and proxies. npm runs no code of a package that it packs. pip runs the setup
    code of a source distribution to read its metadata, which no option prevents; it compares the SHA-256 first, so that
    only the code that was reviewed for this list can run. Raises CaudexError where there is no pip, no npm or no
    network, or the archive is another.
    """
    cached = cache_folder() / "archives" / archive.filename
    if cached.is_file() and _sha256(cached) == archive.sha256:
        return cached
    print(f"fetching {archive.package} {archive.version} with {archive.installer}", file=sys.stderr)
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".") as folder:
        command = (_pip_command if archive.installer == "pip" else _npm_command)(archive, folder)
        _run_command(archive, command, folder)
        endings = (".tgz", ".tar.gz", ".whl", ".zip")
        downloads = [file for file in Path(folder).iterdir() if file.name.endswith(endings)]
        if len(downloads) != 1 or _sha256(downloads[0]) != archive.sha256:
            raise CaudexError(
                f"{archive.installer} fetched something else than {archive.filename} of SHA-256 {archive.sha256[:12]}...; "
                "look at what your registry offers."
            )
        downloads[0].replace(cached)
    return cached


def read_members(archive: Path | bytes, suffix: str = "") -> Iterator[tuple[str, bytes]]:
    """(path, content) of each file in a .zip, .whl, .tar.gz or .tgz whose path ends with `suffix`. Nothing is unpacked to
    disk, so that no path can lead out of anywhere."""
    file = io.BytesIO(archive) if isinstance(archive, bytes) else archive
    if not isinstance(archive, bytes) and zipfile.is_zipfile(archive):
        with zipfile.ZipFile(file) as opened:
            for entry in opened.infolist():
                if entry.filename.endswith(suffix) and not entry.is_dir() and entry.file_size <= MAX_MEMBER_BYTES:
                    yield entry.filename, opened.read(entry)
        return
    source = {"fileobj": file} if isinstance(archive, bytes) else {"name": file}
    with tarfile.open(mode="r:gz", **source) as opened:
        for entry in opened:
            if entry.isreg() and entry.name.endswith(suffix) and entry.size <= MAX_MEMBER_BYTES:
                yield entry.name, opened.extractfile(entry).read()


def _pip_command(archive: Archive, folder: str) -> list[str]:
    requirements = Path(folder) / "requirements.txt"
    requirements.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n")
    binary = "--no-binary" if archive.sdist else "--only-binary"
    options = ["--no-deps", "--require-hashes", "--disable-pip-version-check", "--quiet", binary, archive.package]
    return [sys.executable, "-m", "pip", "download", *options, "--dest", folder, "--requirement", str(requirements)]


def _npm_command(archive: Archive, folder: str) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise CaudexError(
            f"{archive.package} is fetched with npm, which is not installed; install Node.js, or put {archive.filename} into "
            f"{cache_folder() / 'archives'}."
        )
    options = ["--ignore-scripts", "--fetch-retries", "1", "--loglevel", "error", "--pack-destination", folder]
    return [npm, "pack", *options, f"{archive.package}@{archive.version}"]


def _run_command(archive: Archive, command: list[str], folder: str) -> None:
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, cwd=folder, check=False)
        lines = process.stderr.strip().splitlines() or process.stdout.strip().splitlines() or ["it does not say why"]
        if process.returncode == 0:
            return
    except subprocess.TimeoutExpired:
        lines = [f"no answer in {_TIMEOUT // 60} minutes"]
    except OSError as error:
        lines = [str(error)]
    if any("No module named pip" in line for line in lines):
        raise CaudexError(f"{archive.package} is fetched with pip, which is missing: python -m ensurepip.")
    errors = [line for line in lines if "error" in line.lower()] or lines
    cause = errors[0 if archive.installer == "npm" else -1]  # npm says why first, pip last
    raise CaudexError(
        f"{archive.package} {archive.version} cannot be fetched ({cause.strip()}); try again with a network, or put "
        f"{archive.filename} into {cache_folder() / 'archives'}."
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
