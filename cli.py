"""`python cli.py "a corgi astronaut"`: the command line from a checkout, not installed."""

import sys

from uni3d.cli import main

if __name__ == "__main__":
    sys.exit(main())
