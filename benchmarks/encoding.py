"""Images a second through a frozen trunk into the cache, beside a plain loop over a DataLoader, and the limits: the bare
forward pass and bare decoding; results/encoding.csv.

    python benchmarks/encoding.py              # four minutes; on a machine that does nothing else

JPEGs of 500 x 375 pixels and of 12 megapixels, cut from scikit-learn's two photographs and enlarged, each another. Medians of three
turns, each of them without features in the cache; the network was translated to ONNX before. Without a graphics card decoding and
network share the cores: together they cannot be faster than the sum of their times.
"""

import csv
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader, Dataset

from caudex.data import ImageFiles, encode_images, stream_encoder
from caudex.data.images.decode import ImageFormat, decode_image
from caudex.systems.image_trunks import open_encoder

FILE = Path(__file__).parents[1] / "results" / "encoding.csv"
SETS = {"500 x 375": ((500, 375), 384), "4000 x 3000": ((4000, 3000), 96)}  # size and number of images
TURNS, BATCH, SIZE = 3, 32, 224
FORMAT = ImageFormat((3, SIZE, SIZE))


class Decoded(Dataset):
    """What a user would write for a DataLoader."""

    def __init__(self, names: Sequence[str]):
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, row: int) -> np.ndarray:
        return decode_image(self.names[row], FORMAT)


def write_photos(folder: Path, size: tuple[int, int], count: int) -> list[str]:
    photos = [Image.fromarray(photo) for photo in load_sample_images().images]
    for number in range(count):
        photo = photos[number % 2]
        left, upper = number % 97, number % 89
        crop = photo.crop((left, upper, left + 480, upper + 320)).resize(size, Image.Resampling.BICUBIC)
        crop.save(folder / f"{number:04}.jpg", quality=90)
    return sorted(map(str, folder.iterdir()))


def images_a_second(work: Callable[[], None], count: int) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def main() -> None:
    encoder = open_encoder("efficientnet-lite0", 0)
    rows = []
    for name, (size, count) in SETS.items():
        with tempfile.TemporaryDirectory() as folder:
            names = write_photos(Path(folder), size, count)
            pixels = ImageFiles(names, FORMAT).fetch(torch.arange(count))

            def forward(pixels=pixels) -> None:
                for part in pixels.split(BATCH):
                    encoder(part)

            def decode(names=names, count=count) -> None:
                ImageFiles(names, FORMAT).fetch(torch.arange(count))

            os.environ["CAUDEX_CACHE"] = str(Path(folder) / "cache")
            onnx_forward = stream_encoder(FORMAT, encoder, 10_000)  # translates the network

            def forward_onnx(pixels=pixels, run=onnx_forward) -> None:
                for part in pixels.split(BATCH):
                    run(part)

            def encode(names=names, count=count, folder=folder) -> None:
                for file in ("keys", "features"):  # the network stays
                    for path in Path(folder).glob(f"cache/features/*/{file}"):
                        path.unlink()
                encode_images(ImageFiles(names, FORMAT), torch.arange(count), encoder)

            def loop(names=names) -> None:
                for batch in DataLoader(Decoded(names), BATCH, num_workers=2):
                    encoder(batch)

            kinds = {
                "caudex": encode,
                "DataLoader, 2 workers, torch": loop,
                "bare forward pass": forward_onnx,
                "bare forward pass, torch": forward,
                "bare decoding": decode,
            }
            speeds = {kind: [] for kind in kinds}
            for _ in range(TURNS):
                for kind, work in kinds.items():
                    speeds[kind].append(images_a_second(work, count))
            medians = {kind: statistics.median(values) for kind, values in speeds.items()}
            limit = min(medians["bare forward pass"], medians["bare decoding"])
            medians["the two limits on the same cores"] = 1 / (
                1 / medians["bare forward pass"] + 1 / medians["bare decoding"]
            )
            for kind, median in medians.items():
                rows.append((name, kind, f"{median:.1f}", f"{median / limit:.2f}"))
                print(*rows[-1], flush=True)
    with FILE.open("w", newline="") as file:
        header = ("images", "what", "images/s", "of the slower limit")
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main()
