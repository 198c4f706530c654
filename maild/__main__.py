"""`python -m maild` and the command `maild`."""

import sys


def main() -> None:
    """Run a command and end with its exit status."""
    from maild.cli import main as commands

    sys.exit(commands())


if __name__ == "__main__":
    main()
