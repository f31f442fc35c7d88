"""What the simulator assumes about YouTube where no public source describes the real API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Each field is an assumption, not a fact (`docs/youtube.md`): change it, and a correct client still works."""

    summary: bool = False
    """Assumption: batchGetStats sends no `summary`, though the documentation shows one."""
    summary_counts_as_strings: bool = False
    """Assumption: the counts inside `summary` are JSON numbers, as the documentation shows them."""
    duplicates_once: bool = True
    """Assumption: an ID that is named twice is returned once."""
    in_request_order: bool = True
    """Assumption: items are in the order of the IDs; False: in another order, the same for the same counts."""
    batch_refuses_over_50: bool = True
    """Assumption: batchGetStats refuses more than 50 IDs with 400 INVALID_ARGUMENT; False: it returns them all."""
    unknown_fields_refused: bool = True
    """Assumption: a name in `fields` that the answer cannot have is a 400; False: it selects nothing."""
