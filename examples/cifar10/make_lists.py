"""Write the lists train.txt and test.txt of the images in FOLDER/train and FOLDER/test.

usage: python make_lists.py FOLDER

They go into the current folder. Each of the two parts has a folder for each class. A line is `train/frog/0001.jpg 6`: labels count the
classes from 0 in the order of their names, which for CIFAR-10 is the order of its own labels.
"""

import sys
from pathlib import Path


def classes(folder: Path) -> list[str]:
    """The names of a folder's folders, in order; SystemExit where there are none."""
    names = sorted(path.name for path in folder.glob("*/"))
    if not names:
        sys.exit(f"{folder}: there is no such folder, or no folder of a class in it")
    return names


def main(folder: Path) -> None:
    """Write both lists."""
    names = classes(folder / "train")
    if strange := set(classes(folder / "test")) ^ set(names):
        sys.exit(f"{folder}: only train or only test has: {', '.join(sorted(strange))}")
    for part in ("train", "test"):
        images = sorted((folder / part).glob("*/*"))
        lines = [f"{p.relative_to(folder)} {names.index(p.parent.name)}\n" for p in images]
        Path(f"{part}.txt").write_text("".join(lines))
        print(f"{part}.txt: {len(lines)} images of {len(names)} classes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
