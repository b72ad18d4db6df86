#!/usr/bin/env python3
"""detect.py INPUT OUTPUT: `caffepy detect`."""

import sys

from caffepy.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["detect", *sys.argv[1:]]))
