#!/usr/bin/env python3
"""download_model_binary.py FOLDER: `caffepy download_model_binary`."""

import sys

from caffepy.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["download_model_binary", *sys.argv[1:]]))
