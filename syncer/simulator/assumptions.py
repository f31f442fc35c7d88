"""Owns what the simulator assumes about YouTube where no public source says how the real API behaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Each field is an assumption, not a fact (`docs/youtube.md`): switch it, and a sound client still works."""

    summary: bool = False
    """Assumption: batchGetStats sends no `summary`, though the documentation shows one."""
    summary_counts_as_strings: bool = False
    """Assumption: the counts inside `summary` are JSON numbers, as the documentation shows them."""
    duplicates_once: bool = True
    """Assumption: an id that is named twice is answered once."""
    in_request_order: bool = True
    """Assumption: items come in the order of the ids; False: in another order, the same for the same counts."""
    batch_refuses_over_50: bool = True
    """Assumption: batchGetStats answers more than 50 ids with 400 INVALID_ARGUMENT; False: it answers them all."""
    unknown_fields_refused: bool = True
    """Assumption: a name in `fields` that the answer cannot have is a 400; False: it selects nothing."""
