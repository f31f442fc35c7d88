"""What hypothesis draws for the tests of front matter: nasty values, blocks, whole pages, and any bytes."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.front_matter.pages import ID, OTHER_ID

NASTY = [
    *["1_000", "0x1F", "0755", "~", "null", "NULL", "yes"],
    *["12:34", "1:2", "# comment", "a # comment", "a#b", "a: b", "a:b", "a:"],
    *[":", "::", ":a", "a :b", "-", "- a", "-a", "--", "---", "..."],
    *["?", "? a", "?a", "*a", "&a b", "!a", "!!str 5", "%a", "@a", "`a`"],
    *["|", ">", "|-", "<<", "=", "=a", "<a>", "a, b", "a]"],
    *["a}", "a  b", "a  # b", "5", "0", "007", "-5", "+5", "5 6", "1.2M"],
    *["[", "]", "[]", "[a, b]", "[a,b]", "[ a ]", "[a, ]", "[,]", "[-]", "[- a]", "[a - b]", "[a: b]", "[a:b]"],
    *['["a": 1]', "[\"a\" , 'b']", "[\"a\"'b']", "[a # b]", "[a#b]", "{}", "{a}", "{a: 1}", '{"a":1}'],
    *[r'""', r"''", r"'it''s'", r'"a \" b"', r'"\/"', r'"\x41"'],
    *[r'"\q"', r"'a' b", r'"a" b', r"'a'#b", r'"a" # b', r'"a: b"', r"'a # b'"],
    *["\"a'", 'a"b', '"', "'", '"12"', "'12'", '"9999999999999999999"', "9223372036854775807", "9223372036854775808"],
    *("a\tb", "\ta", "a\t", "é ü", "日本", "😀", "\u00a0a", "\u2028", "\u0085"),
    *("\ufeff", "\x7f", "\x07", "\u0661\u0662"),
    *("123_4567_89", "0x123456789", "01234567012", "12345678901", "-1234567890", "1234567e890", "1234-56-789"),
    *("false", "No", "OFF", '"no"', "no # c", "nO", "123_4567_89 # c", "'123_4567_89'", "0o123456712:"),
    *(ID, f'"{ID}"', f"'{ID}'", OTHER_ID, f"https://youtu.be/{ID}", f'"https:\\/\\/youtu.be\\/{ID}"'),
    *(f"https://www.youtube.com/watch?v={ID}&t=1s # x", "https://example.com/a", f"[{ID}]"),
    *("2026-10-01", '"2026-10-01"', "'2026-10-01'", "2026-10-01 # c", "2026-13-01", "2026-1-1", "20261001"),
    *("2026-10-01T08:00:00Z", '"2026-10-01 "', "[2026-10-01]", "2026-10-01x", "2026-10-01:", "-2026-10-01"),
]  # fmt: skip

counts = st.integers(0, 2**63 - 1).map(str)
line_ends = st.sampled_from(["\n", "\r\n"])

_values = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.sampled_from("ab0 :#-'\"[]{},\\&*!|>%@`~?=.\t\u00e9\u2028"), max_size=8),
    st.integers(0, 2**64).map(str),
)
_names = st.sampled_from(
    [
        *("viewcount", "likeCount", "viewcount", "title", "tags", "b-c", "_x", "vid_id2"),
        *("vid_id", "Vid_id", "VIEWCOUNT", "updated", "updated", "syncer", "Syncer"),
    ]
)
_blanks = st.sampled_from(["", " ", "  ", "   "])
_entries = st.builds(lambda *parts: "".join(parts), _names, st.just(":"), _blanks, _values, _blanks)
_odd_lines = st.sampled_from(["", "  ", "# c", "  # c", "- a", "  - a", "  a: b", "a", "\t", "#", "? a", ": b", "..."])
_lines = st.one_of(_entries, _entries, _entries, st.just(f"vid_id: {ID}"), _odd_lines)

_indents = st.sampled_from(["", "  ", "    ", "  ", "    ", "      ", " ", "   "])
_plain_values = st.sampled_from(["a", '"b: c"', "d # e", "", "[a, b]", "5", ID])
_more = st.one_of(
    st.builds("{}{}{}:{}{}".format, _indents, st.sampled_from(["", "", "", "- "]), _names, _blanks, _plain_values),
    st.builds("{}-{}{}".format, _indents, _blanks, st.one_of(_plain_values, _values)),
    st.builds("{}{}".format, _indents, st.sampled_from(["# c", "", "a", "- a: b", "- - a", "|", "..."])),
)
_nests = st.builds(
    lambda name, tail, lines: "\n".join([f"{name}:{tail}", *lines]),
    _names,
    st.sampled_from(["", "", "", " ", " # c", " a", " |", " >-", " &a"]),
    st.lists(_more, min_size=1, max_size=5),
)
"""A key, and lines below it that may or may not belong there."""


@st.composite
def _neat_nests(draw: st.DrawFn) -> str:
    """Draw a key with a list or a mapping below it, as people write them; in one of two, a line is a bit off."""
    indent = draw(st.sampled_from(["", "  ", "    "]))
    keys = st.lists(st.sampled_from(["viewcount", "vid_id", "name", "url", "image"]), min_size=1, max_size=3)
    if draw(st.booleans()) and indent:
        lines = [f"{indent}{key}: {draw(_plain_values)}" for key in draw(keys)]
        lines += draw(st.sampled_from([[], [f"{indent}tags:", f"{indent}  - a", f"{indent}  - b"]]))
    else:
        lines = [f"{indent}- {value}" for value in draw(st.lists(_plain_values, min_size=1, max_size=3))]
    if draw(st.booleans()):
        number = draw(st.integers(0, len(lines) - 1))
        lines[number] = draw(st.sampled_from([f" {lines[number]}", lines[number][1:], f"  {lines[number]}", "  # c"]))
    return "\n".join([f"{draw(st.sampled_from(['tags', 'aliases', 'viewcount', 'vid_id']))}:", *lines])


_parts = st.one_of(_lines, _lines, _lines, _nests, _neat_nests())
blocks = st.lists(st.builds(lambda text, end: text.replace("\n", end) + end, _parts, line_ends), max_size=7).map(
    "".join
)
"""Blocks of YAML with lines that are plain, nested, nasty or wrong."""

_quoted = st.builds(lambda mark, digits: f"{mark}{digits}{mark}", st.sampled_from(["", '"']), counts)
_dates_in_pages = st.sampled_from(['"2026-10-01"', '""', "2026-10-01"])
_values_in_pages = st.one_of(_quoted, st.just('""'))
_titles = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters='"\\'), max_size=20
)
_starts = st.sampled_from(["", "\ufeff", "\n", "\r\n \n"])


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    """Draw a page that a person could have written, in any of the syntaxes."""
    title, views, date = draw(_titles), draw(_values_in_pages), draw(_dates_in_pages)
    members = draw(
        st.permutations([("vid_id", f'"{ID}"'), ("viewcount", views), ("title", f'"{title}"'), ("updated", date)])
    )
    lines = _FORMS[draw(st.sampled_from(sorted(_FORMS)))](members)
    end = draw(line_ends)
    return (draw(_starts) + end.join(lines) + end).encode() + draw(st.binary(max_size=30))


Members = list[tuple[str, str]]


def _yaml(members: Members) -> list[str]:
    return ["---", *(f"{key}: {value}" for key, value in members), "---"]


def _flow(members: Members) -> list[str]:
    return ["---", "{" + ", ".join(f"{key}: {value}" for key, value in members) + "}", "..."]


def _list(members: Members) -> list[str]:
    items = [f"{'id' if key == 'vid_id' else key}: {value}" for key, value in members]
    return ["---yaml", "videos:", f"  - {items[0]}", *(f"    {item}" for item in items[1:]), "---"]


def _toml(members: Members) -> list[str]:
    return ["+++", *(f"{key} = {_without_zeros(value)}" for key, value in members), "+++"]


def _json(members: Members) -> list[str]:
    quoted = [(key, f'"{value}"' if value == "2026-10-01" else _without_zeros(value)) for key, value in members]
    return ["{", *(f'  "{key}": {value},' for key, value in quoted), '  "last": null', "}"]


def _without_zeros(value: str) -> str:
    return str(int(value)) if value.isdigit() else value


_FORMS = {"yaml": _yaml, "flow": _flow, "list": _list, "toml": _toml, "json": _json}

_FRAGMENTS = [
    *(b"---", b"+++", b"\n", b"\n", b"\n", b"\r\n", b"\r", b": ", b" = "),
    *(b'"', b"'", b"{", b"}", b"[", b"]", b",", b"#", b"\\"),
    *(b"\n----\n", b"\n---\n", b"\n--- x\n", b"\n...\n", b"\n++++\n"),
    *(b"[[", b"]]", b".", b'"""', b"'''", b"- ", b"  ", b"&a "),
    *(b"*a", b"!!x ", b"|\n", b"...", b"<<: ", b"null", b"5", b"\x00"),
    *(b"updated", b"2026-10-01"),
    *(b"vid_id", b"viewcount", b"videos", b"id", b"links", b"youtube", ID.encode(), b"\xff", b"\xef\xbb\xbf"),
]  # fmt: skip
_pieces = st.lists(st.sampled_from(_FRAGMENTS), max_size=40).map(b"".join)
any_bytes = st.one_of(
    st.binary(max_size=60),
    _pieces,
    _pieces.map(lambda inner: b"---\n" + inner + b"\n---\n"),
    _pieces.map(lambda inner: b"+++\n" + inner + b"\n+++\n"),
    _pieces.map(lambda inner: b'{"a": 1, ' + inner + b"}\n"),
)
"""Bytes of any kind, more often such as resemble a page."""
