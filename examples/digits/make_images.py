"""Write scikit-learn's 1,797 handwritten digits as PNG files, with a list to train and one to test.

usage: python make_images.py FOLDER

FOLDER/<digit>/<number>.png are 8x8 grey images; FOLDER/train.txt and FOLDER/test.txt have a line
`<digit>/<number>.png <digit>` for each, in an order shuffled once and for all.
"""

import random
import sys
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

TEST_IMAGES = 360
BRIGHTEST = 16


def main(folder: Path) -> None:
    """Write the images and both lists."""
    digits = load_digits()
    lines = []
    for number, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        name = f"{digit}/{number:04d}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * (255 / BRIGHTEST)).round().astype("uint8")).save(folder / name)
        lines.append(f"{name} {digit}\n")
    random.Random(1).shuffle(lines)
    (folder / "test.txt").write_text("".join(lines[:TEST_IMAGES]))
    (folder / "train.txt").write_text("".join(lines[TEST_IMAGES:]))
    print(f"{folder}: {len(lines) - TEST_IMAGES} images to train with, {TEST_IMAGES} to test with")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
