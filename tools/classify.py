#!/usr/bin/env python3
"""classify.py INPUT OUTPUT: `caffepy classify_npy`."""

import sys

from caffepy.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["classify_npy", *sys.argv[1:]]))
