"""Runs the command line: `python -m syncer`, and the console script."""

from __future__ import annotations

from syncer.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
