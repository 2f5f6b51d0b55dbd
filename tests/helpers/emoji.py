"""Emoji by category, from the npm package emoji-datasource-google (Noto Emoji, Apache-2.0): images that nobody drew for a test."""

import io
import json
from pathlib import Path

from PIL import Image

from caudex.core.fetch import Archive, fetch_archive, read_members

EMOJI = Archive(
    "npm", "emoji-datasource-google", "16.0.0", "emoji-datasource-google-16.0.0.tgz",
    "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
)  # fmt: skip


def write_emoji(root: Path, categories: tuple[str, ...], side: int) -> Path:
    """root/CATEGORY/NUMBER.png: all of each category, on white, with sides of so many pixels."""
    archive = fetch_archive(EMOJI)
    ((_, entries),) = read_members(archive, "package/emoji.json")
    entries = [entry for entry in json.loads(entries) if entry["has_img_google"]]
    folders = {}
    for category in categories:
        folders |= {entry["image"]: category for entry in entries if entry["category"] == category}
    for path, content in read_members(archive, ".png"):
        file = Path(path)
        if file.parent.name == "64" and (category := folders.get(file.name)):
            image = Image.open(io.BytesIO(content)).convert("RGBA")
            white = Image.new("RGBA", image.size, "white")
            small = Image.alpha_composite(white, image).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
            (root / category).mkdir(parents=True, exist_ok=True)
            small.save(root / category / file.name)
    return root
