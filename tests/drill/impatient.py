"""The program as it is, but that readings are fresh for a second: in five minutes a drill would ask twice."""

from __future__ import annotations

import syncer.decide.plan
from syncer.cli.main import main

FRESH_SECONDS = 1

if __name__ == "__main__":
    syncer.decide.plan.FRESH_SECONDS = FRESH_SECONDS
    raise SystemExit(main())
