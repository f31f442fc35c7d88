"""Runs the command line: `python -m syncer`, and the console script."""

from __future__ import annotations


def main() -> int:
    """Run the command line and return the exit code."""
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
