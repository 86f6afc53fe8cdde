"""`python app.py`: the page from a checkout, not installed; options as of `uni3d app`."""

import sys

from uni3d.cli import main

if __name__ == "__main__":
    sys.exit(main(["app", *sys.argv[1:]]))
