"""What must be true of every site after a storm: read from the disk, and from what authors and YouTube know.

Nothing here imports the program: it reads pages and the diff log by itself.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from tests.many_sites.pages import Sheet

COUNTS = {"viewcount": "viewCount", "likeCount": "likeCount"}
"""The sites' keys, and YouTube's names."""
BY_SYNCER = ("log", "--author=syncer", "--patch", "--unified=0", "--format=")
SLACK_SECONDS = 2.5
"""How much later than due a sync may begin on a busy machine, and how inexactly a log says when one began."""
QUIET_SECONDS = 10.0
"""For how long nothing may happen while a site waits."""

Given = Mapping[tuple[str, str], Collection[str]]
"""By video and count, all numbers that YouTube ever gave."""


@dataclass
class Facts:
    """What is known of one site, but by the program."""

    name: str
    root: Path
    sheets: Mapping[str, Sheet]
    log_lost: bool = False
    """Whether the diff log was removed with the state: then its first lines need not be the page's first change."""
    in_git: bool = False


def broken_promises_of(facts: Facts, given: Given, now: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """Yield a sentence for each broken promise of a site; `now` is what YouTube gives at the moment: all is settled."""
    yield from (f"{facts.name}: {sentence}" for sentence in _on_pages(facts, given, now))
    if facts.in_git:
        yield from (f"{facts.name}: {sentence}" for sentence in _in_git(facts.root))


def _on_pages(facts: Facts, given: Given, now: Mapping[tuple[str, str], str]) -> Iterator[str]:
    content = facts.root / "content"
    found = {path.relative_to(facts.root).as_posix() for path in content.rglob("*") if not path.is_dir()}
    for path in sorted(found ^ facts.sheets.keys()):
        yield f"{path} is {'left behind' if path in found else 'gone'}"
    log = list(_log_lines(facts.root))
    if (numbers := [line["seq"] for line in log]) != [str(number + 1) for number in range(len(log))]:
        yield f"the diff log has gaps or repeats: {numbers}"
    chains: dict[tuple[str, str], list[Mapping[str, str]]] = {}
    for line in log:
        chains.setdefault((line["path"], line["field"]), []).append(line)
    for path in sorted(found & facts.sheets.keys()):
        yield from _on_page(facts, facts.sheets[path], chains, given, now)
    for path, place in chains:
        yield f"the diff log has lines about {path} {place}, which is no field of a page"


def _on_page(
    facts: Facts,
    sheet: Sheet,
    chains: dict[tuple[str, str], list[Mapping[str, str]]],
    given: Given,
    now: Mapping[tuple[str, str], str],
) -> Iterator[str]:
    """Compare one page with what YouTube gave, and with its lines of the log, which are taken out of `chains`."""
    page = (facts.root / sheet.path).read_bytes()
    slots = sheet.read(page)
    if slots is None:
        yield f"{sheet.path}: a byte beside the counts changed: {page!r}"
        return
    for number, slot in enumerate(slots):
        for key, text in (("viewcount", slot.views), ("likeCount", slot.likes)):
            place, of_video = sheet.form.field(number, key), (slot.video, COUNTS[key])
            newest = now.get(of_video)
            if newest is not None and text != newest:
                yield f"{sheet.path} {place} ({slot.video}) is {text}, but YouTube gives {newest}"
            elif text not in given.get(of_video, ()) and text not in sheet.by_hand:
                yield f"{sheet.path} {place} ({slot.video}) is {text}: YouTube never gave that for this video"
            yield from _in_chain(facts, sheet, of_video, chains.pop((sheet.path, place), []), text, given)


def _in_chain(
    facts: Facts,
    sheet: Sheet,
    of_video: tuple[str, str],
    chain: Sequence[Mapping[str, str]],
    text: str,
    given: Given,
) -> Iterator[str]:
    """Each change is in the log once: each line begins where the one before it ended, or with what the author saved.

    Of a log that was lost, lines may be missing, but none is there twice, and none has a number that nobody gave.
    """
    where = f"{sheet.path} {chain[0]['field']}" if chain else sheet.path
    numbers = given.get(of_video, ())
    known = sheet.by_hand.union(numbers) if facts.log_lost else sheet.by_hand
    for before, line in pairwise(chain):
        if line["old"] != before["new"] and line["old"] not in known:
            yield f"{where}: the log does not say how {before['new']} became {line['old']}"
        if facts.log_lost and line["old"] == before["old"] and line["old"] not in sheet.by_hand:
            yield f"{where}: the log has a change twice: {before}, {line}"
    for line in chain:
        if (line["video_id"], line["count"]) != of_video or line["old"] == line["new"]:
            yield f"{where}: a wrong line {line}"
        if line["new"] not in numbers:
            yield f"{where}: YouTube never gave {line['new']}: {line}"
    if chain and chain[-1]["new"] != text and text not in known:
        yield f"{where} is {text}, but the last line of the log says {chain[-1]['new']}"
    first = chain[0]["old"] if chain else text
    if first not in known:
        yield f"{where}: the log does not say how the page's first value became {first}"


def _log_lines(root: Path) -> Iterator[dict[str, str]]:
    log = root / ".syncer" / "diff.jsonl"
    for line in log.read_bytes().splitlines() if log.exists() else ():
        yield {name: str(value) for name, value in json.loads(line).items()}


def _in_git(root: Path) -> Iterator[str]:
    """The program's commits hold counts alone, and the last one is what is on disk."""
    done = subprocess.run(["git", *BY_SYNCER], cwd=root, capture_output=True, check=True)
    for line in done.stdout.splitlines():
        changed = line.startswith((b"+", b"-")) and not line.startswith((b"+++", b"---"))
        if changed and not any(key.encode() in line for key in COUNTS):
            yield f"a commit of the program holds {line!r}"
    if (root / ".git" / "index.lock").exists():
        yield "index.lock is left behind"


@dataclass
class Life:
    """One process of the daemon, in seconds of one clock."""

    began: float
    """When it served its page."""
    ended: float
    syncs: list[SyncTime] = field(default_factory=list)


@dataclass(frozen=True)
class SyncTime:
    """A sync of a site that ended."""

    site: str
    began: float
    """In whole seconds, as its name has it."""
    ended: float
    exit: int


def late_syncs(life: Life, site: str, interval: float, before: float | None, signs: Sequence[float]) -> Iterator[str]:
    """Yield a sentence for each time that a site waited too long: for nothing, or while another was served twice.

    `interval` includes the jitter; `before` is when its last sync began in an earlier life; `signs` are the moments at
    which the daemon showed that it worked, in order.
    """
    own = sorted((sync for sync in life.syncs if sync.site == site), key=lambda sync: sync.began)
    due = life.began if before is None else max(life.began, before + interval)
    for sync in [*own, None]:
        start = life.ended if sync is None else sync.began
        if start > due + SLACK_SECONDS:
            yield from (
                f"{site}: due at {due:.1f}, {'not begun at the end' if sync is None else 'begun'} at {start:.1f}: {why}"
                for why in _unexcused(life, site, due, start, signs)
            )
        if sync is not None:
            due = sync.began + interval * (2**8 if sync.exit == 3 else 1)


def _unexcused(life: Life, site: str, due: float, start: float, signs: Sequence[float]) -> Iterator[str]:
    waits = due + SLACK_SECONDS, start - SLACK_SECONDS
    begun = [sync.site for sync in life.syncs if sync.site != site and waits[0] <= sync.began <= waits[1]]
    if twice := sorted({name for name in begun if begun.count(name) > 1}):
        yield f"{', '.join(twice)} began twice meanwhile"
    moments = [due, *(sign for sign in signs if due < sign < start), start]
    longest = max(later - earlier for earlier, later in pairwise(moments))
    if longest > QUIET_SECONDS:
        yield f"nothing happened for {longest:.1f} seconds meanwhile"
