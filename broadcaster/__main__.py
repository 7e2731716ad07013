"""``python -m broadcaster`` is the ``broadcaster`` command."""

import sys

from broadcaster.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
