"""`python -m caffepy`: the command line without its name on PATH."""

import sys

from caffepy.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
