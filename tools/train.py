#!/usr/bin/env python3
"""train.py --solver FILE: `caffepy train_parallel`."""

import sys

from caffepy.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train_parallel", *sys.argv[1:]]))
