"""The command line, as `python -m skfingerprint`."""

import sys

from skfingerprint._command import main

if __name__ == "__main__":
    sys.exit(main())
