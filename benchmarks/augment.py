#!/usr/bin/env python3
"""What each augmentation costs for an image, against Pillow and numpy, an image at a time.

usage: augment.py [--turns 5] [--batch 64]

Images are of 256x256 pixels, decoded already, crops of 227x227; mirrored and less a mean value in
all rows. Both take turns in one process. Prints medians in milliseconds an image.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from google.protobuf import text_format
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from caffepy.data.batches import Sample, stack
from caffepy.data.memory import Memory
from caffepy.data.pca import Pca, write_pca
from caffepy.data.transform import Transform
from caffepy.proto import TransformationParameter

CROP = 227
SETTINGS = {
    "crop, mirror": "",
    "light": 'lighting_std: 0.1 lighting_file: "%s"',
    "part, resized": "random_resized_crop { }",
    "brightness": "distort_param { brightness_prob: 1 brightness_delta: 32 }",
    "contrast": "distort_param { contrast_prob: 1 contrast_lower: 0.5 contrast_upper: 1.5 }",
    "saturation": "distort_param { saturation_prob: 1 saturation_lower: 0.5 saturation_upper: 1.5 }",
    "hue": "distort_param { hue_prob: 1 hue_delta: 18 }",
}
VECTORS = np.eye(3, dtype=np.float32)


def ours(name: str, images: NDArray[np.uint8], components: str) -> Callable[[], object]:
    """A batch through caffepy's transformation."""
    setting = SETTINGS[name].replace("%s", components)
    text = f"crop_size: {CROP} mirror: true mean_value: 110 {setting}"
    param = text_format.Parse(text, TransformationParameter())
    transform = Transform(param, True, torch.device("cpu"), "benchmark")
    samples = [Sample(image.transpose(2, 0, 1), 0, "") for image in images]
    numbers, memory = np.arange(len(images), dtype=np.uint64), Memory()

    def run() -> object:
        return stack(samples, transform, 1, numbers, memory)

    return run


def cut(image: Image.Image, resized: bool) -> Image.Image:
    """A crop, or a part of any size resized to it."""
    if not resized:
        left, top = random.randint(0, 29), random.randint(0, 29)
        return image.crop((left, top, left + CROP, top + CROP))
    side = int(256 * random.uniform(0.3, 1))
    left, top = random.randint(0, 256 - side), random.randint(0, 256 - side)
    box = (left, top, left + side, top + side)
    return image.resize((CROP, CROP), Image.Resampling.BILINEAR, box)


def coloured(image: Image.Image, name: str) -> Image.Image:
    """An image with one of its colours' properties changed."""
    factor = random.uniform(0.5, 1.5)
    if name == "hue":
        hue, *others = image.convert("HSV").split()
        turned = hue.point([(level + int(25 * factor)) % 256 for level in range(256)])
        return Image.merge("HSV", (turned, *others)).convert("RGB")
    enhancers = {
        "brightness": ImageEnhance.Brightness,
        "contrast": ImageEnhance.Contrast,
        "saturation": ImageEnhance.Color,
    }
    return enhancers[name](image).enhance(factor) if name in enhancers else image


def theirs(name: str, images: NDArray[np.uint8]) -> Callable[[], object]:
    """The same with Pillow and numpy."""
    pictures = [Image.fromarray(image) for image in images]

    def one(image: Image.Image) -> NDArray[np.float32]:
        x = coloured(cut(image, name == "part, resized"), name)
        if random.random() < 0.5:
            x = x.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = np.asarray(x, np.float32).transpose(2, 0, 1) - np.float32(110)
        if name == "light":
            pixels += (np.random.normal(0, 0.1, 3) @ VECTORS)[:, None, None]  # noqa: NPY002  # as users do
        return pixels

    return lambda: np.stack([one(picture) for picture in pictures])


def main() -> None:
    """Take turns, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    images = np.random.default_rng(0).integers(0, 256, (args.batch, 256, 256, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        components = Path(folder) / "pca.txt"
        write_pca(components, Pca(np.array([9000.0, 500.0, 100.0]), np.eye(3)))
        runs = {
            (name, side): run
            for name in SETTINGS
            for side, run in (
                ("caffepy", ours(name, images, str(components))),
                ("Pillow", theirs(name, images)),
            )
        }
    times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
    for _ in range(args.turns):
        for key, run in runs.items():
            start = time.perf_counter()
            run()
            times[key].append((time.perf_counter() - start) * 1e3 / args.batch)
    medians = {key: sorted(spent)[args.turns // 2] for key, spent in times.items()}
    print(f"{'ms an image':16}  caffepy   Pillow")
    for name in SETTINGS:
        print(f"{name:16} {medians[name, 'caffepy']:8.2f} {medians[name, 'Pillow']:8.2f}")


if __name__ == "__main__":
    main()
