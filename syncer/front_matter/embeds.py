"""Finds the YouTube videos that a page's text embeds; the table of the forms that count is here. Nothing is written.

What is uncertain is not counted: a form that is not in the table, a value that is a variable, two videos in one embed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from os.path import splitext
from typing import Final, NamedTuple

from syncer.front_matter.block import MAX_TEXT_BYTES, BlockEnd, find_block
from syncer.front_matter.code_and_comments import (
    ASCIIDOC_SUFFIXES,
    HTML_SUFFIXES,
    without_code_and_comments,
    without_indented_code,
)
from syncer.front_matter.video_id import is_possible, parse_video_id
from syncer.model import ID_PATTERN, Problem, ProblemKind, Slot, VideoId


class Form(NamedTuple):
    """One form of an embed."""

    name: str
    source: str
    """The page that documents it."""
    example: str
    pattern: re.Pattern[str]
    """Its group `value`, or `bare`, is an ID or a URL; its group `arguments` is a text in which `value` finds one.

    The text begins with a line break, so one that begins with `\\n` begins at a line. A literal beginning makes it
    fast.
    """
    value: re.Pattern[str] | None = None
    suffixes: frozenset[str] | None = None
    """Only in files with these suffixes; None: in all."""
    not_in_html: bool = False
    """A form of Markdown: in HTML it is only text."""

    def is_in(self, suffix: str) -> bool:
        """Return whether files with this suffix may have it."""
        return suffix in self.suffixes if self.suffixes else not (self.not_in_html and suffix in HTML_SUFFIXES)


_FLAGS: Final = re.IGNORECASE | re.ASCII
_END: Final = r"[^\s\"'`<>()\[\]{}]{1,2000}"
_LINK: Final = (
    r"https?://(?:(?:www|m|music)\.)?"
    rf"(?:youtube(?:-nocookie)?\.com/(?:watch/?\?|(?:embed|v|shorts|live)/)|youtu\.be/){_END}"
)
_PLAYER: Final = rf"(?:https?:)?//(?:(?:www|m)\.)?youtube(?:-nocookie)?\.com/(?:embed|v)/{_END}"
_ID: Final = rf"{ID_PATTERN}(?![\w-])"
_NAME: Final = r"(?![\w./-]{0,120}(?:playlist|channel|link|button|icon|thumb|image|subscribe|list|feed|search))"
"""Words in the name of a shortcode or component that shows something else than one video."""
_YOUTUBE: Final = rf"{_NAME}(?:[\w./-]{{0,60}}you[_-]?tube[\w./-]{{0,60}}|(?<=\s)yt)"
_PLAYS: Final = "(?:video|embed|oembed|media|player)"
"""Names that embed videos of several hosts: only with a URL on YouTube's hosts."""
_KEY: Final = r"(?:youtube_?)?(?:id|video|videoid|video[_-]id|v|url|src|code|key)"
_QUOTED: Final = rf"""(?P<quote>["'])(?P<value>{_LINK}|{_PLAYER}|{_ID})(?P=quote)"""
_QUOTED_URL: Final = rf"""(?P<quote>["'])<?(?P<value>{_LINK}|{_PLAYER})>?(?P=quote)"""

_TO_SHORTCODE_END: Final = r"(?P<arguments>(?:[^<>%{}]|[<>%](?!\}\}))*)[>%]\}\}"
_TO_TAG_END: Final = r"(?P<arguments>(?:[^%{]|%(?!\}))*)%\}"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, _FLAGS)


_FIRST_OR_NAMED: Final = _compiled(
    rf"""(?:\A\s*|(?<![\w-]){_KEY}\s*=\s*)(?:{_QUOTED}|(?P<bare>{_LINK}|{_ID})(?=[\s,/]|\Z))"""
)
_URL_FIRST_OR_NAMED: Final = _compiled(
    rf"""(?:\A\s*|(?<![\w-]){_KEY}\s*=\s*)(?:{_QUOTED_URL}|(?P<bare>{_LINK}|{_PLAYER})(?=[\s,/]|\Z))"""
)
_NAMED: Final = _compiled(rf"(?<![\w-]){_KEY}\s*=\s*{_QUOTED}")
_NAMED_URL: Final = _compiled(rf"(?<![\w-]){_KEY}\s*=\s*{_QUOTED_URL}")
_ATTRIBUTE: Final = _compiled(
    rf"""(?<![\w-])(?:data-)?{_KEY}\s*=\s*(?:{_QUOTED}|\{{\s*(?P<brace>["'])(?P<bare>{_LINK}|{_ID})(?P=brace)\s*\}})"""
)
_SOURCE: Final = _compiled(
    rf"""(?<![\w-])(?:data-)?src\s*=\s*(?:(?P<quote>["'])\s*(?P<value>{_PLAYER})\s*(?P=quote)|(?P<bare>{_PLAYER})(?=[\s/]|\Z))"""
)

FORMS: Final[Sequence[Form]] = (
    Form(
        "shortcode of Hugo",
        "https://gohugo.io/shortcodes/youtube",
        "{{< youtube 5HjkiQJx-CY >}}",
        _compiled(rf"\{{\{{[<%]\s*{_YOUTUBE}(?=[\s]){_TO_SHORTCODE_END}"),
        _FIRST_OR_NAMED,
    ),
    Form(
        "shortcode of Hugo or Quarto for videos of several hosts",
        "https://quarto.org/docs/authoring/videos.html",
        "{{< video https://www.youtube.com/embed/5HjkiQJx-CY >}}",
        _compiled(rf"\{{\{{[<%]\s*{_PLAYS}(?=\s){_TO_SHORTCODE_END}"),
        _URL_FIRST_OR_NAMED,
    ),
    Form(
        "tag of Jekyll, Hexo or Eleventy",
        "https://github.com/dommmel/jekyll-youtube",
        "{% youtube 5HjkiQJx-CY %}",
        _compiled(rf"""\{{%-?\s*{_YOUTUBE}(?=\s)(?![^%]*["'\s]playlist\b){_TO_TAG_END}"""),
        _FIRST_OR_NAMED,
    ),
    Form(
        "tag for videos of several hosts",
        "https://gitbook.com/docs/create-content/blocks/embed-a-url",
        '{% embed url="https://www.youtube.com/watch?v=5HjkiQJx-CY" %}',
        _compiled(rf"\{{%-?\s*{_PLAYS}(?=\s){_TO_TAG_END}"),
        _URL_FIRST_OR_NAMED,
    ),
    Form(
        "include of Jekyll",
        "https://github.com/nathancy/jekyll-embed-video",
        '{% include youtubePlayer.html id="5HjkiQJx-CY" %}',
        _compiled(rf"\{{%-?\s*include(?:_cached|_relative)?\s+{_YOUTUBE}(?:\.html)?(?=\s){_TO_TAG_END}"),
        _NAMED,
    ),
    Form(
        "include of Jekyll that names the provider",
        "https://mmistakes.github.io/minimal-mistakes/docs/helpers/",
        '{% include video id="5HjkiQJx-CY" provider="youtube" %}',
        _compiled(
            rf"\{{%-?\s*include(?:_cached|_relative)?\s+[\w./-]{{0,60}}(?:video|embed|player)[\w./-]{{0,60}}(?=\s)"
            rf"""(?=[^%]*\b(?:provider|type|host|service)\s*=\s*["']youtube["']){_TO_TAG_END}"""
        ),
        _NAMED,
    ),
    Form(
        "include of Jekyll with a URL",
        "https://jekyllrb.com/docs/includes/#passing-parameters-to-includes",
        '{% include video.html url="https://youtu.be/5HjkiQJx-CY" %}',
        _compiled(
            rf"\{{%-?\s*include(?:_cached|_relative)?\s+[\w./-]{{0,60}}(?:video|embed|player)[\w./-]{{0,60}}(?=\s)"
            rf"{_TO_TAG_END}"
        ),
        _NAMED_URL,
    ),
    Form(
        "shortcode of Zola, or macro of Nunjucks",
        "https://www.getzola.org/documentation/content/shortcodes/",
        '{{ youtube(id="5HjkiQJx-CY") }}',
        _compiled(rf"\{{\{{-?\s*{_YOUTUBE}\s*\((?P<arguments>[^(){{}}]*)\)\s*(?:\|[^(){{}}]*)?-?\}}\}}"),
        _compiled(rf"(?:\A\s*|(?<![\w-]){_KEY}\s*=\s*){_QUOTED}"),
    ),
    Form(
        "iframe",
        "https://developers.google.com/youtube/player_parameters",
        '<iframe src="https://www.youtube-nocookie.com/embed/5HjkiQJx-CY?start=30"></iframe>',
        _compiled(r"<iframe(?<!\\<iframe)(?=\s)(?P<arguments>[^<>]*)>"),
        _SOURCE,
    ),
    Form(
        "element or component, such as `lite-youtube`, `amp-youtube` or Astro's `YouTube`",
        "https://github.com/paulirish/lite-youtube-embed",
        '<lite-youtube videoid="5HjkiQJx-CY"></lite-youtube>',
        _compiled(rf"<(?<!\\<){_NAME}[\w.-]{{0,60}}you-?tube[\w.-]{{0,60}}(?=\s)(?P<arguments>[^<>]*)>"),
        _ATTRIBUTE,
    ),
    Form(
        "image of Markdown that is a video, as in Obsidian",
        "https://help.obsidian.md/embed-web-pages",
        "![](https://www.youtube.com/watch?v=5HjkiQJx-CY)",
        _compiled(rf"""!\[(?<!\\!\[)[^\[\]\n]*\]\(\s*<?(?P<value>{_LINK}|{_PLAYER})>?(?:\s+["'][^"'\n]*["'])?\s*\)"""),
        not_in_html=True,
    ),
    Form(
        "inline form of markdown-it-video",
        "https://www.npmjs.com/package/markdown-it-video",
        "@[youtube](5HjkiQJx-CY)",
        _compiled(rf"@\[(?<![\w\\]@\[)\s*youtube\s*\]\(\s*(?P<value>{_LINK}|{_ID})\s*\)"),
        not_in_html=True,
    ),
    Form(
        "directive of Markdown",
        "https://www.npmjs.com/package/remark-directive",
        "::youtube[A talk]{#5HjkiQJx-CY}",
        _compiled(
            rf"""\n[ \t]*:{{2,}}youtube(?:\[[^\]\n]*\])?\{{\s*(?:\#|id\s*=\s*["']?)(?P<value>{_ID})["']?[^}}\n]*\}}"""
        ),
        not_in_html=True,
    ),
    Form(
        "embed of Retype or DocFX",
        "https://dotnet.github.io/docfx/docs/markdown.html",
        "> [!VIDEO https://www.youtube.com/embed/5HjkiQJx-CY]",
        _compiled(
            rf"\n[ \t>]*\[!(?:video\s+(?P<value>{_LINK}|{_PLAYER})\s*\]"
            rf"|embed[^\]\n]*\]\(\s*(?P<bare>{_LINK}|{_PLAYER})\s*\))"
        ),
        not_in_html=True,
    ),
    Form(
        "watch link on a line of its own, as plugins of Eleventy and others embed it",
        "https://www.npmjs.com/package/eleventy-plugin-youtube-embed",
        "https://www.youtube.com/watch?v=5HjkiQJx-CY",
        _compiled(
            r"\n(?<!\]:\n)(?<!\]:[ \r]\n)(?<!\]: [ \r]\n)"  # a URL below `[name]:` is a definition
            rf" {{0,3}}(?:(?P<value>{_LINK})|<(?P<bare>{_LINK})>)[ \t]*\\?(?=\r?\n|\Z)"
        ),
        not_in_html=True,
    ),
    Form(
        "macro of AsciiDoc",
        "https://docs.asciidoctor.org/asciidoc/latest/macros/audio-and-video/",
        "video::5HjkiQJx-CY[youtube]",
        _compiled(rf"\nvideo::(?P<value>{_ID})\[\s*youtube\b[^\]\n]*\]"),
        suffixes=ASCIIDOC_SUFFIXES,
    ),
    Form(
        "directive of reStructuredText",
        "https://sphinxcontrib-youtube.readthedocs.io/",
        ".. youtube:: 5HjkiQJx-CY",
        _compiled(rf"\n\.\.[ \t]+youtube::[ \t]+(?P<value>{_LINK}|{_ID})[ \t]*(?=\r?\n|\Z)"),
        suffixes=frozenset({".rst"}),
    ),
)
"""The forms that count."""

_NAMES: Final = ("outu", "ouTu", "OUTU", " yt ")
"""One of them is in each embed, as it is usually written."""
_HARDLY_WORD: Final = re.compile("[A-Z0-9-]")
"""An ID without any of these is a name such as `youtube_ids`, but for one of ten thousand."""


def find_embeds(data: bytes, path: str) -> tuple[Slot, ...] | Problem:
    """Return the videos that the text of a page embeds, after its front matter, in the order of lines.

    Each is a slot without a field, on the line of the file where the embed begins; one that is twice on a line is
    returned once. `data` is the whole file, or more than `MAX_TEXT_BYTES` of it, which is a Problem; `path` says by its
    suffix which forms there are. Code and comments have no embeds. A page whose front matter has no end has no text.
    """
    if len(data) > MAX_TEXT_BYTES:
        size = MAX_TEXT_BYTES >> 20
        message = f"The page is larger than {size} MiB, so its text was not searched for videos: split or exclude it."
        return Problem(ProblemKind.TOO_LARGE, path, message)
    block = find_block(data)
    if block is not None and block.end not in {BlockEnd.CLOSED, BlockEnd.DISPUTED}:
        return ()
    if block is None:
        data = b"\n" + data
    start = 0 if block is None else data.find(b"\n", block.stop) % (len(data) + 1)
    text = data[start:].decode("latin-1")  # positions stay, and nothing outside ASCII is part of an embed
    suffix = splitext(path)[1].lower()
    forms = [form for form in FORMS if form.is_in(suffix)] if any(name in text for name in _NAMES) else ()
    forms = [form for form in forms if next(_matches(text, [form]), None)]
    if not forms:
        return ()
    text = without_code_and_comments(text, suffix)
    if suffix not in HTML_SUFFIXES:
        text = without_indented_code(text)
    line, done = data.count(b"\n", 0, start) + (block is not None), 0
    embeds: dict[tuple[int, VideoId], None] = {}
    for at, video in sorted(_matches(text, forms)):
        line, done = line + text.count("\n", done, at), at
        embeds[line, video] = None
    return tuple(Slot(video, line, (), ()) for line, video in sorted(embeds))


def _matches(text: str, forms: Iterable[Form]) -> Iterator[tuple[int, VideoId]]:
    """Yield where in the text a video is embedded, in one of the forms, and which."""
    for form in forms:
        for match in form.pattern.finditer(text):
            values = [match] if form.value is None else list(form.value.finditer(match["arguments"]))
            videos = {_video(found["value"] or found["bare"]) for found in values}
            if len(videos) == 1 and (video := videos.pop()):
                yield match.start() + match[0].startswith("\n"), video


def _video(value: str) -> VideoId | None:
    """Return the video that an ID or a URL names; None if it is not certain."""
    read = parse_video_id(f"https:{value}" if value.startswith("//") else value, "")
    if not isinstance(read, str) or not is_possible(read):
        return None
    return read if read != value or _HARDLY_WORD.search(value) else None
