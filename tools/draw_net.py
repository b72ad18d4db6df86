#!/usr/bin/env python3
"""draw_net.py NET IMAGE: `caffepy draw_net`."""

import sys

from caffepy.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["draw_net", *sys.argv[1:]]))
