"""The drift of a video: by which share of themselves its counts change in a day, learned from its readings.

The drift is what a day's wait costs: by so much the expected relative error of the counts grows. The estimate is a mean
over time, so neither a gap nor a count that stands still and then catches up changes it. How long it remembers depends
on the counts: ten changes of a large count happen in an hour, of a small one in months.

The state computes it in SQL (`state.judging`), for all readings that a sync accepts at once. The same formula in Python
is in `benchmarks/budgets/learning.py`.
"""

from __future__ import annotations

from typing import Final

DAY_SECONDS: Final = 86_400

PRIOR: Final = 0.005
"""The drift of a video that was read once. It weighs as much as the time in which it means one more count."""

SHORTEST_PRIOR: Final = 0.1
LONGEST_PRIOR: Final = 25.0
"""The limits of that time, in days: growth is not even, so a few minutes are no evidence."""

REMEMBERED_COUNTS: Final = 10.0
"""The estimate forgets what is older than the time in which the counts change by so many."""

SHORTEST_MEMORY: Final = 1.0
LONGEST_MEMORY: Final = 90.0
"""The limits of that time, in days."""

LARGEST_RISE: Final = 8.0
"""An observation counts as at most so many times the drift before it: a fall or a jump may happen only once."""

ALWAYS_BELIEVED: Final = 0.1
"""But up to this drift it counts as it is: a video that stood still may begin to move."""

SMALLEST: Final = 1e-9
"""A smaller drift is taken for this one where something is divided by it: a millionth of a view a day of a thousand."""
