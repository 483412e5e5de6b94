"""``python -m auto_recovery``: the program `recover`, where its folder is not on PATH."""

import os
import sys
from typing import NoReturn

from ._run import find_recover


def main() -> NoReturn:
    """Becomes the program."""
    program = find_recover()
    os.execv(program, [program.name, *sys.argv[1:]])


if __name__ == "__main__":
    main()
