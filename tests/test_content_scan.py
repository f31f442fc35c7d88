"""Which files a scan takes for pages, under which name, and what it says of those that it cannot use."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from syncer.content.page_file import signature_of
from syncer.content.pages import Pages
from syncer.content.scan import HEAD_BYTES, read_candidate, read_head, read_pages
from syncer.content.walk import Candidate, Matcher, _matches, walk
from syncer.front_matter.block import MAX_BLOCK_BYTES
from syncer.model import Count, Fields, Page, Problem
from syncer.own_files import OPEN_FLAGS
from tests.examples import examples
from tests.places import (
    FIELDS,
    ID,
    OTHER_ID,
    collection,
    everybodys_directory,
    names,
    page,
    pages,
    problems,
    put,
    run_python,
    scanned,
    walked,
)

OTHER_FIELDS = Fields("tube", {Count.VIEWS: "viewcount", Count.LIKES: "hearts"})

# --- globs -----------------------------------------------------------------------------------------------------------

TREE = (
    "a.md",
    "about.markdown",
    "drafts/d.md",
    "posts/2024/p.md",
    "posts/2024/p.draft.md",
    "posts/drafts/q.md",
    "posts/drafts/keep.md",
    "posts/old-2019/r.md",
    "posts/index.md/inner.md",
    "readme.txt",
    "Ünï çode/s.md",
    "#hash.md",
    "!bang.md",
    "sp ace.md",
)


@pytest.mark.parametrize(
    "exclude",
    [
        ["drafts/"],
        ["/drafts/"],
        ["/drafts"],
        ["drafts"],
        ["posts/drafts/"],
        ["/posts/*/keep.md"],
        ["posts/**/keep.md"],
        ["**/drafts/**"],
        ["drafts/*", "!keep.md"],
        ["posts/drafts/*", "!posts/drafts/keep.md"],
        ["posts/drafts/", "!posts/drafts/keep.md"],
        ["/*", "!/posts/"],
        ["/*", "!/posts/", "/posts/*", "!/posts/2024/"],
        ["*.draft.md"],
        ["**/*.draft.md"],
        ["**/*-2019"],
        ["old-*/"],
        ["[ad]*.md"],
        ["p.??"],
        ["**/*.md"],
        ["**/*.md", "!a.md"],
        ["# a comment", "", "a.md   "],
        ["\\#hash.md", "\\!bang.md"],
        ["sp\\ ace.md"],
        ["Ünï çode"],
        ["/posts/2024/p.md"],
        ["posts/2024/p.md"],
        ["2024/p.md"],
        ["a.MD"],
    ],
    ids=str,
)
def test_exclude_leaves_out_exactly_what_git_would_ignore(tmp_path: Path, exclude: list[str]) -> None:
    content = tmp_path / "content"
    for name in TREE:
        put(content / name)
    subprocess.run(["git", "init", "-q", str(content)], check=True)
    (content / ".gitignore").write_text("\n".join([*exclude, ".gitignore"]), encoding="utf-8")
    listed = subprocess.run(
        ["git", "-C", content, "ls-files", "-z", "--others", "--exclude-standard"], check=True, capture_output=True
    ).stdout.decode()
    kept = {f"content/{name}" for name in listed.split("\0") if name.endswith((".md", ".markdown"))}

    assert set(names(tmp_path, collection(exclude=exclude))) == kept


@pytest.mark.parametrize(
    ("include", "taken"),
    [
        (["*.md"], {"a.md", "posts/p.md", "posts/sub/q.md"}),
        (["/*.md"], {"a.md"}),
        (["posts/"], {"posts/p.md", "posts/sub/q.md", "posts/note.txt"}),
        (["/posts/*.md"], {"posts/p.md"}),
        (["posts/**/*.md"], {"posts/p.md", "posts/sub/q.md"}),
        (["**/*.md", "!q.md"], {"a.md", "posts/p.md"}),
        (["**/*.txt"], {"posts/note.txt"}),
        (["nothing"], set()),
        (["sub/q.md"], set()),
    ],
)
def test_include_takes_what_a_pattern_of_gitignore_names(tmp_path: Path, include: list[str], taken: set[str]) -> None:
    for name in ("a.md", "posts/p.md", "posts/sub/q.md", "posts/note.txt"):
        put(tmp_path / "content" / name)

    assert set(names(tmp_path, collection(include=include))) == {f"content/{name}" for name in taken}


def test_patterns_are_seen_from_the_directory_not_from_the_site(tmp_path: Path) -> None:
    put(tmp_path / "content/posts/p.md")
    put(tmp_path / "content/content/p.md")

    assert names(tmp_path, collection(exclude=["/content/"])) == ["content/posts/p.md"]


def test_the_site_itself_can_be_a_collection(tmp_path: Path) -> None:
    put(tmp_path / "a.md")
    put(tmp_path / "b/c.md")

    assert names(tmp_path, collection(".")) == ["a.md", "b/c.md"]


_PART = st.sampled_from(["a", "b", "a.md", "x.draft.md", ".md", "md", "c-old", "-old", "sub", "a.mdx", "ü.md"])
_PATH = st.lists(_PART, min_size=1, max_size=4).map("/".join)


@given(st.lists(st.sampled_from(["**/*.md", "**/*.markdown", "**/*-old", "**/*md"]), min_size=1, unique=True), _PATH)
@examples(300)
def test_the_quick_answer_to_plain_patterns_is_pathspecs(patterns: list[str], path: str) -> None:
    spec = GitIgnoreSpec.from_lines(patterns)

    assert _matches(patterns)(path) == spec.match_file(path)
    assert _matches(patterns)(f"{path}/") == spec.match_file(f"{path}/")


_PATTERN = st.builds(
    lambda negated, anchored, parts, directory: negated + anchored + "/".join(parts) + directory,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/", "**/"]),
    st.lists(st.sampled_from(["a", "b", "*", "sub", "*.md", "**", "c-old"]), min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
)


@given(st.lists(_PATTERN, min_size=1, max_size=4), st.lists(_PART, min_size=2, max_size=4))
@examples(300)
def test_a_directory_is_entered_unless_the_patterns_exclude_it_whole(exclude: list[str], parts: list[str]) -> None:
    matcher = Matcher(collection(include=["*"], exclude=exclude))
    directories = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    spec = GitIgnoreSpec.from_lines(exclude)

    assert any(matcher.prunes(f"content/{one}") for one in directories) == any(
        spec.match_file(f"{one}/") for one in directories
    )


def test_an_excluded_directory_is_not_even_listed(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md")
    put(tmp_path / "content/node_modules/deep/b.md")
    code = (
        "import sys\nfrom syncer.content.walk import walk\nfrom tests.places import collection\n"
        "listed = []\n"
        "sys.addaudithook(lambda event, given: listed.append(given[0]) if event == 'os.scandir' else None)\n"
        "list(walk(sys.argv[1], [collection(exclude=['node_modules/'])]))\n"
        "print([one for one in listed if 'content' in str(one)])"
    )

    assert run_python(code, tmp_path).strip() == str([str(tmp_path / "content")])


def test_files_that_no_pattern_takes_are_not_opened(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md")
    (tmp_path / "content/huge.png").symlink_to("huge.png")  # to open it would fail
    os.mkfifo(tmp_path / "content/pipe.png")

    assert [one.path for one in pages(tmp_path)] == ["content/a.md"]


# --- names and kinds of files ----------------------------------------------------------------------------------------


def test_the_order_is_that_of_names_however_the_disk_lists_them(tmp_path: Path) -> None:
    wanted = ["content/a.md", "content/b.md", "content/B/x.md", "content/a/x.md", "content/a/b/y.md", "content/c/x.md"]
    for number, order in enumerate((wanted, wanted[::-1])):
        for name in order:
            put(tmp_path / str(number) / name)
        (tmp_path / str(number) / "content/z.md").symlink_to("../shared.md")
        put(tmp_path / str(number) / "shared.md")

    assert names(tmp_path / "0") == [*wanted, "content/z.md"]
    assert names(tmp_path / "0") == names(tmp_path / "1")


def test_special_files_and_directories_named_like_pages_are_skipped_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tmp_path / "content"
    put(content / "a.md")
    put(content / "folder.md/b.md")
    os.mkfifo(content / "pipe.md")
    monkeypatch.chdir(content)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.md")

        assert [one.path for one in pages(tmp_path)] == ["content/a.md", "content/folder.md/b.md"]


def test_a_fifo_that_replaced_a_page_after_the_walk_does_not_block_reading(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    os.mkfifo(tmp_path / "content/a.md")

    assert read_candidate(str(tmp_path), Candidate("content/a.md", (FIELDS,))) == []
    assert OPEN_FLAGS & os.O_NONBLOCK


def test_files_of_git_and_of_syncer_are_not_pages(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md")
    for name in (".git/notes.md", "sub/.git/n.md", ".syncer/s.md", ".syncer-0a1b2c3d~", ".syncer-x/t.md"):
        put(tmp_path / "content" / name)

    assert names(tmp_path, collection(include=["*"])) == ["content/a.md"]


def test_a_name_with_a_newline_is_a_name(tmp_path: Path) -> None:
    put(tmp_path / "content/a\nb/c\nd.md")

    assert names(tmp_path) == ["content/a\nb/c\nd.md"]


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has UTF-8 names only")
def test_a_name_that_is_not_utf8_is_reported_in_printable_form(tmp_path: Path) -> None:
    content = os.fsencode(tmp_path / "content")
    os.makedirs(content + b"/caf\xe9")
    put(tmp_path / "outside.md")
    for name in (b"/\xff.md", b"/caf\xe9/a.md", b"/\xff.png"):
        Path(os.fsdecode(content + name)).write_bytes(page())
    os.symlink(b"../outside.md", content + b"/link\xff.md")
    os.symlink(b"/", content + b"/away\xff")

    found = walked(tmp_path)

    assert problems(found) == [
        ("unreadable", "content/\\xff.md"),
        ("unreadable", "content/caf\\xe9/a.md"),
        ("outside-site", "content/away\\xff"),
        ("unreadable", "content/link\\xff.md"),
    ]
    assert len(found) == 4
    for one in found:
        assert isinstance(one, Problem)
        one.subject.encode()


# --- links -----------------------------------------------------------------------------------------------------------


def test_a_link_to_a_page_that_has_a_name_of_its_own_is_not_a_second_page(tmp_path: Path) -> None:
    put(tmp_path / "content/b.md")
    (tmp_path / "content/a.md").symlink_to("b.md")
    (tmp_path / "content/z.md").symlink_to(tmp_path / "content/b.md")

    assert names(tmp_path) == ["content/b.md"]


def test_a_page_outside_the_collections_is_read_under_the_links_name(tmp_path: Path) -> None:
    put(tmp_path / "shared/real.md")
    (tmp_path / "content").mkdir()
    (tmp_path / "content/a.md").symlink_to("../shared/real.md")

    assert [one.path for one in pages(tmp_path)] == ["content/a.md"]


def test_several_links_to_one_file_are_one_page(tmp_path: Path) -> None:
    put(tmp_path / "shared/real.md")
    for name in ("content/b.md", "content/a.md", "content/sub/c.md", "more/d.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(tmp_path / "shared/real.md")

    assert len(names(tmp_path, collection(), collection("more"))) == 1


def test_an_excluded_page_stays_excluded_whatever_links_to_it_from_outside_its_collection(tmp_path: Path) -> None:
    put(tmp_path / "content/drafts/a.md")
    put(tmp_path / "content/b.md")

    assert names(tmp_path, collection(exclude=["drafts/"])) == ["content/b.md"]


@pytest.mark.parametrize("to", ["file", "directory", "parent", "root"])
def test_a_link_that_leads_out_of_the_site_is_a_problem_and_nothing_there_is_touched(tmp_path: Path, to: str) -> None:
    site = tmp_path / "site"
    put(site / "content/a.md")
    put(tmp_path / "site-2/b.md")  # its path begins like the site's
    targets = {"file": "../../site-2/b.md", "directory": "../../site-2", "parent": "../..", "root": "/"}
    (site / "content/link.md").symlink_to(targets[to])

    found = scanned(site)

    assert problems(found) == [("outside-site", "content/link.md")]
    assert [one.path for one in found if isinstance(one, Page)] == ["content/a.md"]


def test_a_file_that_no_pattern_takes_may_lead_anywhere(tmp_path: Path) -> None:
    put(tmp_path / "site/content/a.md")
    (tmp_path / "site/content/hosts.txt").symlink_to("/etc/hosts")

    assert names(tmp_path / "site") == ["content/a.md"]


def test_dangling_links_such_as_an_editors_lock_are_skipped_silently(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md")
    (tmp_path / "content/.#a.md").symlink_to("somebody@host.1234:1700000000")  # Emacs, while a.md is edited
    (tmp_path / "content/me.md").symlink_to("me.md")
    (tmp_path / "content/tick.md").symlink_to("tock.md")
    (tmp_path / "content/tock.md").symlink_to("tick.md")

    assert names(tmp_path) == ["content/a.md"]


def test_linked_directories_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    put(tmp_path / "content/a/x.md")
    put(tmp_path / "shared/y.md")
    (tmp_path / "content/a/up").symlink_to("..")
    (tmp_path / "content/again").symlink_to("a")
    (tmp_path / "content/first").symlink_to("../shared")
    (tmp_path / "content/second").symlink_to("../shared")
    (tmp_path / "shared/back").symlink_to("../content")

    assert names(tmp_path) == ["content/a/x.md", "content/first/y.md"]


def test_an_excluded_link_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md")
    (tmp_path / "content/media").symlink_to("/")

    assert names(tmp_path, collection(exclude=["/media/"])) == ["content/a.md"]


def test_a_collections_directory_may_be_a_link_inside_the_site(tmp_path: Path) -> None:
    put(tmp_path / "src/pages/a.md")
    put(tmp_path / "src/pages/sub/b.md")
    (tmp_path / "content").symlink_to("src/pages")

    assert names(tmp_path) == ["content/a.md", "content/sub/b.md"]


def test_a_collection_behind_a_link_does_not_give_a_page_a_second_name(tmp_path: Path) -> None:
    put(tmp_path / "content/posts/a.md")
    (tmp_path / "posts").symlink_to("content/posts")
    (tmp_path / "all").symlink_to(".")

    assert names(tmp_path, collection(), collection("posts"), collection("all")) == ["content/posts/a.md"]
    assert names(tmp_path, collection("posts"), collection()) == ["content/posts/a.md"]


def test_a_second_name_counts_for_mappings_that_the_first_has_not(tmp_path: Path) -> None:
    put(tmp_path / "content/posts/a.md")
    (tmp_path / "posts").symlink_to("content/posts")

    found = walked(tmp_path, collection(), collection("posts", fields=OTHER_FIELDS))

    assert found == [Candidate("content/posts/a.md", (FIELDS,)), Candidate("posts/a.md", (OTHER_FIELDS,))]


@pytest.mark.parametrize("directory", ["../other", "link"])
def test_a_collection_outside_the_site_is_a_problem(tmp_path: Path, directory: str) -> None:
    put(tmp_path / "other/a.md")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/link").symlink_to("../other")

    assert problems(walked(tmp_path / "site", collection(directory))) == [("outside-site", directory)]


# --- overlapping collections -----------------------------------------------------------------------------------------

BOTH = "---\nvid_id: kq3vT7mZ_dE\ntube: {}\nviewcount: 1\nlikeCount: 2\nhearts: 3\n---\n"


def test_a_file_of_two_collections_is_one_candidate_with_both_mappings(tmp_path: Path) -> None:
    put(tmp_path / "content/sub/a.md")

    found = walked(tmp_path, collection(), collection("content/sub", fields=OTHER_FIELDS))

    assert found == [Candidate("content/sub/a.md", (FIELDS, OTHER_FIELDS))]


def test_a_file_that_one_collection_only_passes_by_is_yielded_once_for_the_other(tmp_path: Path) -> None:
    put(tmp_path / "content/sub/a.md")
    narrow, other = collection(include=["/*.md"]), collection("content/sub", fields=OTHER_FIELDS)

    for order in ((narrow, other), (other, narrow)):
        assert walked(tmp_path, *order) == [Candidate("content/sub/a.md", (OTHER_FIELDS,))]


def test_two_collections_of_one_page_write_each_count_once(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", BOTH.format(ID).encode())

    first, second = pages(tmp_path, collection(), collection(fields=OTHER_FIELDS))

    assert [value.field for slot in first.slots for value in slot.values] == ["viewcount", "likeCount"]
    assert [value.field for slot in second.slots for value in slot.values] == ["hearts"]


def test_the_same_collection_twice_writes_each_count_once(tmp_path: Path) -> None:
    put(tmp_path / "content/posts/a.md")

    found = pages(tmp_path, collection(), collection("content/posts"))

    assert [value.field for one in found for slot in one.slots for value in slot.values] == ["viewcount", "likeCount"]


def test_a_count_that_two_collections_want_for_two_videos_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", BOTH.format(OTHER_ID).encode())

    (problem,) = scanned(tmp_path, collection(), collection(fields=OTHER_FIELDS))

    assert isinstance(problem, Problem)
    assert (problem.kind, problem.subject) == ("ids-disagree", "content/a.md")
    assert ID in problem.message
    assert OTHER_ID in problem.message


def test_a_key_that_two_collections_map_to_two_counts_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md")
    swapped = Fields("vid_id", {Count.LIKES: "viewcount"})

    assert problems(scanned(tmp_path, collection(), collection(fields=swapped))) == [("cannot-place", "content/a.md")]


def test_a_problem_is_reported_once_however_many_collections_find_it(tmp_path: Path) -> None:
    put(tmp_path / "site/content/sub/bad.md", f"---\nvid_id: {ID}\nviewcount: 1\nviewcount: 2\n---\n".encode())
    (tmp_path / "site/content/sub/away.md").symlink_to("/etc/hosts")

    found = scanned(tmp_path / "site", collection(), collection("content/sub", fields=OTHER_FIELDS), collection("."))

    assert sorted(problems(found)) == [("duplicate-key", "content/sub/bad.md"), ("outside-site", "content/sub/away.md")]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_page_is_read_with_its_signature_and_without_its_text(tmp_path: Path) -> None:
    file = put(tmp_path / "content/a.md", page(body="x" * 1000))

    (found,) = pages(tmp_path)

    assert found.signature == signature_of(file.stat())
    assert found.slots[0].video_id == ID


def test_a_signature_differs_if_size_time_or_inode_differs(tmp_path: Path) -> None:
    file = put(tmp_path / "a.md", b"one")
    os.utime(file, ns=(0, 10**18))
    seen = [signature_of(file.stat())]
    os.utime(file, ns=(0, 10**18 + 1))
    seen.append(signature_of(file.stat()))
    file.write_bytes(b"longer")
    os.utime(file, ns=(0, 10**18))
    seen.append(signature_of(file.stat()))
    other = put(tmp_path / "b.md", b"longer")
    os.utime(other, ns=(0, 10**18))
    seen.append(signature_of(other.stat()))

    assert len(set(seen)) == 4
    assert seen[3] == signature_of(other.stat())


def test_files_without_a_video_yield_nothing(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"\n", b"no front matter", b"---\ntitle: x\n---\n", b"\xff\xfe\x00")):
        put(tmp_path / f"content/{number}.md", content)

    assert pages(tmp_path) == []


@pytest.mark.parametrize("size", [HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, 2 * HEAD_BYTES, MAX_BLOCK_BYTES - 200])
def test_a_block_that_ends_beyond_the_first_read_is_read_whole(tmp_path: Path, size: int) -> None:
    filler = "x" * (size - len(f"---\nvid_id: {ID}\nnote: \nviewcount: 7\n"))
    put(
        tmp_path / "content/a.md",
        f"---\nvid_id: {ID}\nnote: {filler}\nviewcount: 7\n---\nbody {'y' * HEAD_BYTES}".encode(),
    )

    (found,) = pages(tmp_path)

    assert [value.text for value in found.slots[0].values] == ["7"]


def test_candidates_are_read_in_any_order_and_past_a_directory_that_vanished(tmp_path: Path) -> None:
    for path in ("a/1.md", "b/1.md", "a/2.md", "top.md"):
        put(tmp_path / path, page())
    order = ("a/1.md", "gone/1.md", "gone/2.md", "a/2.md", "top.md", "b/1.md")

    found = Pages()
    others = list(read_pages(str(tmp_path), [Candidate(path, (FIELDS,)) for path in order], found))

    assert [one.path for one in found] == ["a/1.md", "a/2.md", "top.md", "b/1.md"]
    assert problems(others) == [("unreadable", "gone/1.md"), ("unreadable", "gone/2.md")]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the system does not list open files")
def test_no_file_stays_open_behind_a_scan_that_is_given_up(tmp_path: Path) -> None:
    put(tmp_path / "a/1.md", page())
    before = os.listdir("/proc/self/fd")

    reading = read_pages(
        str(tmp_path), [Candidate(path, (FIELDS,)) for path in ("a/1.md", "a/gone.md", "b.md")], Pages()
    )
    next(reading)
    assert os.listdir("/proc/self/fd") != before
    del reading

    assert os.listdir("/proc/self/fd") == before


def test_a_long_body_is_not_read(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", page(body="x" * (3 * HEAD_BYTES)))

    read = read_head(str(tmp_path), Candidate("content/a.md", (FIELDS,)))

    assert isinstance(read, tuple)
    assert len(read[0]) == HEAD_BYTES


def test_a_block_without_end_within_a_mebibyte_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md", f"---\nvid_id: {ID}\n{'x: y' * MAX_BLOCK_BYTES}".encode())

    assert problems(scanned(tmp_path)) == [("front-matter-too-large", "content/a.md")]


def test_a_file_that_vanished_after_the_walk_is_a_problem(tmp_path: Path) -> None:
    (problem,) = read_candidate(str(tmp_path), Candidate("content/gone.md", (FIELDS,)))

    assert isinstance(problem, Problem)
    assert (problem.kind, problem.subject) == ("unreadable", "content/gone.md")
    assert "No such file" in problem.message


def test_files_and_directories_that_may_not_be_read_are_problems_and_the_rest_is_read() -> None:
    with everybodys_directory() as site:
        put(site / "content/a.md")
        put(site / "content/secret.md").chmod(0)
        put(site / "content/vault/b.md")
        (site / "content/vault").chmod(0)
        code = (
            "import sys\nfrom pathlib import Path\nfrom tests.places import drop_powers, scanned\ndrop_powers()\n"
            "for one in scanned(Path(sys.argv[1])): print(getattr(one, 'path', None) or (one.kind.value, one.subject))"
        )

        printed = run_python(code, site).splitlines()

        (site / "content/vault").chmod(0o755)
    assert sorted(printed) == [
        "('unreadable', 'content/secret.md')",
        "('unreadable', 'content/vault')",
        "content/a.md",
    ]


def test_a_directory_too_deep_for_a_path_is_a_problem(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md")
    place = os.open(tmp_path / "content", os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=place)
        deeper = os.open("d" * 250, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = deeper
    os.close(place)

    found = walked(tmp_path)

    assert [kind for kind, _ in problems(found)] == ["unreadable"]
    assert Candidate("content/a.md", (FIELDS,)) in found


def test_a_directory_that_became_a_file_is_a_problem_for_what_was_below(tmp_path: Path) -> None:
    put(tmp_path / "content/sub", b"a file now")

    (problem,) = read_candidate(str(tmp_path), Candidate("content/sub/a.md", (FIELDS,)))

    assert isinstance(problem, Problem)
    assert "Not a directory" in problem.message


@given(st.integers(1, 5), st.randoms(use_true_random=False))
@examples(20)
def test_any_partition_of_the_candidates_gives_the_pages_of_the_whole(
    site_of_many: Path, parts: int, random: object
) -> None:
    candidates = [one for one in walk(str(site_of_many), [collection()]) if isinstance(one, Candidate)]
    whole, together = Pages(), Pages()
    problems_of_whole = list(read_pages(str(site_of_many), candidates, whole))
    shares = [candidates[number::parts] for number in range(parts)]

    problems_together = [found for share in shares for found in read_pages(str(site_of_many), iter(share), together)]

    assert len(whole) + len(problems_of_whole) == 12
    assert sorted(together, key=repr) == sorted(whole, key=repr)
    assert sorted(problems_together, key=repr) == sorted(problems_of_whole, key=repr)


@pytest.fixture(scope="module")
def site_of_many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("many").resolve()
    for number in range(10):
        put(site / f"content/{number % 3}/{number}.md", page(views=number))
    put(site / "content/bad.md", page(views="1.2M"))
    return site


def test_reading_leaves_no_descriptor_open(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path / f"content/{number}.md")
    os.mkfifo(tmp_path / "content/pipe.md")
    before = len(os.listdir("/dev/fd"))

    scanned(tmp_path)

    assert len(os.listdir("/dev/fd")) == before


def test_a_scan_changes_nothing_but_perhaps_access_times(tmp_path: Path) -> None:
    file = put(tmp_path / "content/a.md")
    file.chmod(0o640)
    before = file.stat()

    scanned(tmp_path)

    after = file.stat()
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_mtime_ns, after.st_ctime_ns, after.st_ino) == (
        before.st_mtime_ns,
        before.st_ctime_ns,
        before.st_ino,
    )


@pytest.mark.skipif(not Path("/proc/1/exe").is_symlink(), reason="needs Linux's /proc")
def test_a_link_that_cannot_be_read_or_is_gone_by_now_ends_no_walk() -> None:
    printed = run_python(
        "from pathlib import Path\nfrom tests.places import collection, drop_powers, walked\ndrop_powers()\n"
        'print(any("exe" in str(one) for one in walked(Path("/proc/1"), collection(".", include=["exe"]))))'
    )
    assert printed == "False\n"
