"""What is fast, against what, measured in one run. Each module also runs at its smallest, in seconds, for the tests."""

import argparse


def options(description: str | None) -> argparse.ArgumentParser:
    """Returns a parser that knows `--smallest`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--smallest", action="store_true", help="once, and as little as there can be: to see that it works"
    )
    return parser
