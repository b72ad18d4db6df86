#!/usr/bin/env python3
"""summarize.py NET: `caffepy summarize`."""

import sys

from caffepy.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["summarize", *sys.argv[1:]]))
