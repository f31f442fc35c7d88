"""Runs the command line: `python -m syncer`, and the console script."""

from __future__ import annotations

from syncer.cli.process import finish, prepare


def main() -> int:
    """Run the command line in this process, and return its exit code."""
    prepare()
    from syncer.cli.main import main as run

    try:
        return run()
    finally:
        finish()


if __name__ == "__main__":
    raise SystemExit(main())
