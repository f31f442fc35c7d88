"""What must be true after a drill, looked up on disk and reckoned from what the author and YouTube know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from syncer.simulator.world import START, World
from tests.drill.ground import STAGED, UNSTAGED, Ground
from tests.site import KEY

COUNT_KEYS = ("viewcount", "likeCount")
BY_SYNCER = ("log", "--author=syncer", "--patch", "--unified=0", "--format=")


TOLD = {
    "hang_up": "config-read",
    "break_config": "config-refused",
    "spend_quota": "over-quota",
    "hide_videos": "braked",
    "err": "problem",
    "trigger": "synced",
}
"""What happens, and the event by which the log tells of it."""
OFTEN = 10


def broken_promises(ground: Ground, log: Sequence[str], happened: Mapping[str, int]) -> list[str]:
    """A sentence for each; `log` is what the daemons said, as JSON, and `happened` how often there was which event."""
    return [
        *_on_pages(ground),
        *_in_the_diff_log(ground),
        *_in_git(ground),
        *_about_the_key(ground, log),
        *_in(log, happened),
    ]


def _on_pages(ground: Ground) -> Iterator[str]:
    """No byte beside the counts is another than the author's, and the counts are YouTube's."""
    content = ground.site.root / "content"
    there = {path.relative_to(ground.site.root).as_posix() for path in content.rglob("*") if path.is_file()}
    for path in sorted(there ^ ground.sheets.keys()):
        yield f"{path} is {'left behind' if path in there else 'gone'}"
    for path in sorted(there & ground.sheets.keys()):
        page, true = (ground.site.root / path).read_bytes(), ground.true_page(path)
        if page != true:
            yield f"{path} is {page!r} and should be {true!r}"


def _in_the_diff_log(ground: Ground) -> Iterator[str]:
    """Each count that was put on disk stands in it once: the next one replaces it, or what the author wrote."""
    lines = ground.site.log_lines()
    if [line["seq"] for line in lines] != list(range(1, len(lines) + 1)):
        yield "the diff log has gaps or repeats"
    stood: dict[tuple[str, str], str] = {}
    for line in lines:
        place = line["path"], line["field"]
        if line["old"] != stood.get(place) and line["old"] not in ground.by_hand[line["path"]]:
            yield f"{stood.get(place)} stood there before: {line}"
        if not _was_said(ground, line["video_id"], line["count"], int(line["new"])):
            yield f"YouTube never said so: {line}"
        stood[place] = line["new"]


def _was_said(ground: Ground, video: str, count: str, number: int) -> bool:
    """In good weather counts only grow; of bad weather the simulator keeps the account."""
    first, last = (World().statistics(video, at) or {} for at in (START, ground.youtube.clock.now()))
    return first[count] <= number <= last[count] or number in ground.youtube.given(video).get(count, ())


def _in_git(ground: Ground) -> Iterator[str]:
    """The program's commits hold counts alone; what the author has staged, and has not, is as it was."""
    commits = ground.repository.git(*BY_SYNCER)
    for line in commits.splitlines():
        changed = line.startswith(("+", "-")) and not line.startswith(("+++", "---"))
        if changed and not any(key in line for key in COUNT_KEYS):
            yield f"a commit of the program holds {line!r}"
    if not commits:
        yield "nothing was committed"
    for words, where in ((STAGED, "--cached"), (UNSTAGED, "--")):
        if words.decode().strip() not in ground.repository.git("diff", where):
            yield f"{words!r} does not stand in `git diff {where}` any more"


def _about_the_key(ground: Ground, log: Sequence[str]) -> Iterator[str]:
    for path in ground.site.root.rglob("*"):
        if path.is_file() and KEY.encode() in path.read_bytes():
            yield f"the key stands in {path}"
    if any(KEY in line for line in log):
        yield "the key stands in the log"


def _in(log: Sequence[str], happened: Mapping[str, int]) -> Iterator[str]:
    """Each line is an event, none tells of a bug, and what happened often is told."""
    events = set()
    for line in log:
        told = json.loads(line)
        if "event" not in told or "traceback" in told or told.get("exit", 0) not in {0, 1, 3, 130}:
            yield f"the log says {line}"
        events.add(told.get("event"))
    for name, event in TOLD.items():
        if happened[name] >= OFTEN and event not in events:
            yield f"the log never says {event}, but there was {name}"
