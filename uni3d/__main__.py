"""`python -m uni3d`: the command line."""

import sys

from uni3d.cli import main

if __name__ == "__main__":
    sys.exit(main())
