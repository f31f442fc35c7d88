"""Embeds in the text of pages: each form of the table and its near misses, and what code and comments hide."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter.block import MAX_TEXT_BYTES
from syncer.front_matter.code_and_comments import HIDDEN, without_code_and_comments, without_indented_code
from syncer.front_matter.embeds import FORMS, Form, find_embeds
from syncer.model import Problem, ProblemKind, VideoId

ID = VideoId("5HjkiQJx-CY")
OTHER = VideoId("dQw4w9WgXcQ")
PAGE = "---\ntitle: A talk\n---\n"

FOUND = [
    '{{< youtube id="5HjkiQJx-CY" title="A > B" >}}',
    "{{% youtube 5HjkiQJx-CY %}}",
    "{{<youtube 5HjkiQJx-CY>}}",
    "{{< youtube id=5HjkiQJx-CY autoplay=true />}}",
    '{{< youtube "https://youtu.be/5HjkiQJx-CY" >}}',
    '{{< lite-youtube videoid="5HjkiQJx-CY" label="A talk" >}}',
    '{{< youtubeLite id="5HjkiQJx-CY" label="A talk" >}}',
    "{{< media/youtube-lite\n  id='5HjkiQJx-CY'\n>}}",
    "{{< yt 5HjkiQJx-CY >}}",
    '{{< video src="https://www.youtube.com/watch?v=5HjkiQJx-CY&t=30" >}}',
    "{% youtube 5HjkiQJx-CY 640 480 %}",
    "{%- youtube '5HjkiQJx-CY' -%}",
    '{% youtube "https://www.youtube.com/watch?v=5HjkiQJx-CY" %}',
    "{% youtube 5HjkiQJx-CY 'video' false %}",
    "{% embed https://youtu.be/5HjkiQJx-CY %}",
    '{% embed url="<https://www.youtube.com/watch?v=5HjkiQJx-CY>" %}',
    "![type:video](https://www.youtube.com/embed/5HjkiQJx-CY)",
    '{% include youtube.html id="5HjkiQJx-CY" caption="Half of it, 50%" %}',
    "{% include_cached embeds/youtube-player.html video_id='5HjkiQJx-CY' %}",
    '{% include responsive-video provider="youtube" id="5HjkiQJx-CY" %}',
    '{{ youtube(id="5HjkiQJx-CY", autoplay=true) }}',
    '{{ youtube("5HjkiQJx-CY") | safe }}',
    '<iframe width="560"\n  src="//www.youtube.com/embed/5HjkiQJx-CY?rel=0&amp;t=3" allowfullscreen></iframe>',
    "<IFRAME DATA-SRC='https://www.youtube-nocookie.com/embed/5HjkiQJx-CY'>",
    "<iframe src=https://www.youtube.com/embed/5HjkiQJx-CY></iframe>",
    '<lite-youtube params="start=3" video-id="5HjkiQJx-CY">',
    '<amp-youtube data-videoid="5HjkiQJx-CY" layout="responsive"></amp-youtube>',
    '<YouTube id="5HjkiQJx-CY" />',
    "<LiteYouTubeEmbed id={'5HjkiQJx-CY'} title=\"A talk\" />",
    '<YouTube id="https://www.youtube.com/shorts/5HjkiQJx-CY" />',
    '![A talk](https://youtu.be/5HjkiQJx-CY "A title")',
    "Words before ![](<https://m.youtube.com/watch?v=5HjkiQJx-CY>) and after",
    "@[youtube](https://www.youtube.com/embed/5HjkiQJx-CY)",
    '::youtube{id="5HjkiQJx-CY"}',
    '[!embed el="embed"](https://www.youtube.com/embed/5HjkiQJx-CY)',
    "<https://www.youtube.com/watch?v=5HjkiQJx-CY&t=46m>",
    "https://music.youtube.com/watch?v=5HjkiQJx-CY",
    "https://www.youtube.com/live/5HjkiQJx-CY?si=a",
    "  https://www.youtube.com/watch?list=PL1234&v=5HjkiQJx-CY\\",
    "1. An item\n\n    {{< youtube 5HjkiQJx-CY >}}",
    '<div>\n    <iframe src="https://www.youtube.com/embed/5HjkiQJx-CY"></iframe>\n</div>',
    "A line with one ` that nothing ends\n\n{{< youtube 5HjkiQJx-CY >}}",
    "# Title {#the-title}\n\n{{< youtube 5HjkiQJx-CY >}}",
    "```\ncode\n```\n{{< youtube 5HjkiQJx-CY >}}",
    "> ```\n> code\n\n{{< youtube 5HjkiQJx-CY >}}\n",
    "{% raw %}\nraw\n{% endraw %}{{< youtube 5HjkiQJx-CY >}}",
    "----\n\n{{< youtube 5HjkiQJx-CY >}}\n\n----",
    "<!-->\n{{< youtube 5HjkiQJx-CY >}}",
    "- An item\n    - An item in it\n\n        {{< youtube 5HjkiQJx-CY >}}",
    "It costs $$\n\n{{< youtube 5HjkiQJx-CY >}}",
    "{{<youtube\n  id='5HjkiQJx-CY'\n>}}",
    "``a ` b``\nA line: `\n```\ncode\n```\n\n{{< youtube 5HjkiQJx-CY >}}",
    "[1]: a\nhttps://youtu.be/5HjkiQJx-CY",
    "<p\n  class='a'>{{< youtube 5HjkiQJx-CY >}}</p>",
]

NOT_FOUND = [
    "{{< youtube 5HjkiQJx-C >}}",
    "{{< youtube 5HjkiQJx-CYY >}}",
    "{{< youtube 5HjkiQJx-CZ >}}",
    "{{< youtube PL5HjkiQJx-CY5HjkiQJx-CY >}}",
    "{{< youtube id=.Params.id >}}",
    "{{< youtube autoplay=5HjkiQJx-CY >}}",
    '{{< youtube-playlist "5HjkiQJx-CY" >}}',
    '{{< youtube-button id="5HjkiQJx-CY" >}}',
    '{{< vimeo "5HjkiQJx-CY" >}}',
    '{{< video "5HjkiQJx-CY" >}}',
    '{{< video "https://vimeo.com/watch?v=5HjkiQJx-CY" >}}',
    '{{< button href="https://www.youtube.com/watch?v=5HjkiQJx-CY" >}}',
    "{{</* youtube 5HjkiQJx-CY */>}}",
    "{{%/* youtube 5HjkiQJx-CY */%}}",
    "{{/* {{< youtube 5HjkiQJx-CY >}} */}}",
    '{{< highlight go-html-template >}}\n{{ youtube(id="5HjkiQJx-CY") }}\n{{< /highlight >}}',
    "{% youtube page.youtubeId %}",
    "{% youtube youtube_ids %}",
    "{% youtube 5HjkiQJx-CY 'playlist' %}",
    "{% include youtube.html id=page.youtubeId %}",
    "{% include youtube.html id=youtubevid0 %}",
    '{% include vimeo.html id="5HjkiQJx-CY" %}',
    '{% include video id="5HjkiQJx-CY" provider="vimeo" %}',
    '{% include youtube.html id="5HjkiQJx-CY" url="https://youtu.be/dQw4w9WgXcQ" %}',
    "{% raw %}{% youtube 5HjkiQJx-CY %}{% endraw %}",
    "{%- comment -%}\n{% youtube 5HjkiQJx-CY %}\n{%- endcomment -%}",
    "{% highlight html %}\n<lite-youtube videoid='5HjkiQJx-CY'>\n{% endhighlight %}",
    "{# {% youtube 5HjkiQJx-CY %} #}",
    '{{ youtube(id=page.id) }} {{/* youtube(id="5HjkiQJx-CY") */}}',
    '<iframe src="https://www.youtube.com/embed/videoseries?list=PL5HjkiQJx-CY"></iframe>',
    '<iframe src="https://www.youtube.com/embed/live_stream?channel=UC5HjkiQJx-CY5HjkiQJx-CY"></iframe>',
    '<iframe src="https://player.vimeo.com/video/5HjkiQJx-CY"></iframe>',
    '<iframe src="https://www.youtube.com.example.org/embed/5HjkiQJx-CY"></iframe>',
    '<iframe src="https://example.org/?https://www.youtube.com/embed/5HjkiQJx-CY"></iframe>',
    '<iframe title="https://www.youtube.com/embed/5HjkiQJx-CY"></iframe>',
    '&lt;iframe src="https://www.youtube.com/embed/5HjkiQJx-CY"&gt;',
    "<script>const html = '<iframe src=\"https://www.youtube.com/embed/5HjkiQJx-CY\">'</script>",
    '<!-- <iframe src="https://www.youtube.com/embed/5HjkiQJx-CY"></iframe> -->',
    "<!-- without an end\n\nhttps://youtu.be/5HjkiQJx-CY\n",
    '<a class="youtube" id="5HjkiQJx-CY" href="https://youtu.be/5HjkiQJx-CY">A talk</a>',
    '<YouTube id={page.youtube} /> {/* <YouTube id="5HjkiQJx-CY" /> */}',
    "<pre>\nhttps://youtu.be/5HjkiQJx-CY\n</pre>",
    "<code>{{< youtube 5HjkiQJx-CY >}}</code>",
    "[A talk](https://youtu.be/5HjkiQJx-CY)",
    "[![A talk](https://img.youtube.com/vi/5HjkiQJx-CY/0.jpg)](https://youtu.be/5HjkiQJx-CY)",
    "![](https://img.youtube.com/vi/5HjkiQJx-CY/0.jpg)",
    "\\![](https://youtu.be/5HjkiQJx-CY)",
    "Watch https://youtu.be/5HjkiQJx-CY",
    "https://youtu.be/5HjkiQJx-CY for more",
    "- https://youtu.be/5HjkiQJx-CY",
    "url: https://youtu.be/5HjkiQJx-CY",
    "https://www.youtube.com/@5HjkiQJx-CY",
    "https://www.youtube.com/playlist?list=PL5HjkiQJx-CY",
    "https://notyoutube.com/watch?v=5HjkiQJx-CY",
    "https://youtu.be/5HjkiQJx-CY https://youtu.be/dQw4w9WgXcQ",
    "`{{< youtube 5HjkiQJx-CY >}}`",
    "``a ` {{< youtube 5HjkiQJx-CY >}}``",
    "    {{< youtube 5HjkiQJx-CY >}}",
    "```\n{{< youtube 5HjkiQJx-CY >}}\n```",
    "~~~~ md\n```\n{% youtube 5HjkiQJx-CY %}\n~~~~",
    "1. An item\n\n   ```md\n   {{< youtube 5HjkiQJx-CY >}}\n   ```",
    "> ```\n> {{< youtube 5HjkiQJx-CY >}}\n> ```",
    "```\nwithout an end\n\n{{< youtube 5HjkiQJx-CY >}}\n",
    "%%\nhttps://youtu.be/5HjkiQJx-CY\n%%",
    "video::5HjkiQJx-CY[youtube]",
    ".. youtube:: 5HjkiQJx-CY",
    "{{% comment %}}\n{{< youtube 5HjkiQJx-CY >}}\n{{% /comment %}}",
    "{{< comment >}}{{< youtube 5HjkiQJx-CY >}}{{< /comment >}}",
    "{{< highlight\n  go >}}\n{{% youtube 5HjkiQJx-CY %}}\n{{< /highlight >}}",
    "- An item\n\n        {{< youtube 5HjkiQJx-CY >}}",
    "- An item\n\n  - An item in it\n\n\t\t{{< youtube 5HjkiQJx-CY >}}",
    "A year, wrapped:\n2020. And then:\n\n    {{< youtube 5HjkiQJx-CY >}}",
    "- An item\n\nWords\n\n    {{< youtube 5HjkiQJx-CY >}}",
    "* * *\n\n    {{< youtube 5HjkiQJx-CY >}}",
    ">     {{< youtube 5HjkiQJx-CY >}}",
    "<?php echo '{{< youtube 5HjkiQJx-CY >}}' ?>",
    "<?php\n\n// {{< youtube 5HjkiQJx-CY >}}",
    "<![CDATA[{{< youtube 5HjkiQJx-CY >}}]]>",
    '<pre title="a > b"\n>{{< youtube 5HjkiQJx-CY >}}</pre>',
    '\\<iframe src="https://www.youtube.com/embed/5HjkiQJx-CY">',
    '\\<YouTube id="5HjkiQJx-CY" />',
    "$$\nhttps://youtu.be/5HjkiQJx-CY\n$$",
    '<div data-url="\nhttps://youtu.be/5HjkiQJx-CY\n"></div>',
    '<section data-url="\n\nhttps://youtu.be/5HjkiQJx-CY\n\n"></section>',
    "[1]:\nhttps://youtu.be/5HjkiQJx-CY",
    "[a talk]: \r\n  https://youtu.be/5HjkiQJx-CY",
    "`code`https://youtu.be/5HjkiQJx-CY",
    "https://youtu.be/5HjkiQJx-CY `code`",
    "A line with one ` that nothing ends\n{{< youtube 5HjkiQJx-CY >}}",
    "A line with one ` and <!-- a comment\n\n{{< youtube 5HjkiQJx-CY >}} -->",
    "``` a\n\n```` b\n{{< youtube 5HjkiQJx-CY >}}\n```",
]


def found_in(data: bytes, path: str = "a.md") -> list[tuple[int, str]]:
    """The lines and the videos."""
    embeds = find_embeds(data, path)
    assert not isinstance(embeds, Problem)
    return [(embed.line, embed.video_id) for embed in embeds]


def suffix_of(form: Form) -> str:
    return min(form.suffixes) if form.suffixes else ".md"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_each_form_is_found_by_its_own_pattern_as_its_example_has_it(form: Form) -> None:
    page = f"{PAGE}Words.\n\n{form.example}\n\nMore words.\n".encode()
    assert found_in(page, f"a{suffix_of(form)}") == [(6, ID)]
    assert form.pattern.search(f"\n{form.example}\n")
    assert form.source.startswith("https://")


def test_the_reference_has_the_same_table() -> None:
    reference = (Path(__file__).parent.parent / "docs" / "reference" / "embeds.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| `(.+)` \| \[.+\]\((.+)\) \|$", reference, re.MULTILINE)
    assert rows == [(form.name, form.example, form.source) for form in FORMS]


@pytest.mark.parametrize("text", FOUND)
def test_an_embed_is_found_in_each_spelling(text: str) -> None:
    assert [video for _, video in found_in(f"{PAGE}{text}\n".encode())] == [ID]


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_is_uncertain_or_hidden_is_not_counted(text: str) -> None:
    assert found_in(f"{PAGE}{text}\n".encode(), "a.md") == []


def test_lines_are_those_of_the_file_and_each_video_of_a_line_is_found_once() -> None:
    text = (
        f'{PAGE}<YouTube id="{ID}" /> {{{{< youtube {ID} >}}}} {{{{< youtube {OTHER} >}}}}\r\n\r\nhttps://youtu.be/{ID}'
    )
    assert found_in(text.encode(), "a.md") == [(4, ID), (4, OTHER), (6, ID)]


def test_the_front_matter_has_no_embeds_and_without_its_end_there_is_no_text() -> None:
    link = f"https://youtu.be/{ID}"
    assert found_in(f"---\ntext: |\n{link}\n---\n".encode(), "a.md") == []
    assert found_in(f"---\ntitle: A\n\n{link}\n".encode(), "a.md") == []
    assert found_in(f'{{\n"title": "A"}}\n\n{link}\n'.encode(), "a.md") == [(4, ID)]
    assert found_in(f"{link}\n".encode(), "a.md") == [(1, ID)]


def test_a_page_that_is_too_large_is_not_searched() -> None:
    link = f"https://youtu.be/{ID}\n".encode()
    assert found_in(b" " * (MAX_TEXT_BYTES - len(link) - 1) + b"\n" + link) == [(2, ID)]
    problem = find_embeds(b" " * (MAX_TEXT_BYTES - len(link)) + b"\n" + link, "a.md")
    assert isinstance(problem, Problem)
    assert problem.kind is ProblemKind.TOO_LARGE


def test_html_has_no_markdown_in_it() -> None:
    frame = f'<iframe src="https://www.youtube.com/embed/{ID}"></iframe>'
    assert found_in(f"```\n\n    {frame}\n```\n".encode(), "a.html") == [(3, ID)]
    assert found_in(f"https://youtu.be/{ID}\n".encode(), "a.HTML") == []


def test_blocks_between_dashes_are_code_in_asciidoc_only() -> None:
    text = f"----\nvideo::{ID}[youtube]\n\n{{{{< youtube {ID} >}}}}\n----\n".encode()
    assert found_in(text, "a.adoc") == []
    assert found_in(text, "a.md") == [(4, ID)]


EMBEDS = st.sampled_from([form.example for form in FORMS if not form.suffixes])
PLAIN = st.text(st.characters(blacklist_characters="`~<>{}[]()%#\\\0\r\n\"'=!@:/", blacklist_categories=["Cs"]))
LINES = st.lists(PLAIN.map(lambda line: line.lstrip(" \t-*+0123456789.")), max_size=8).map("\n".join)


@given(LINES, EMBEDS, LINES)
def test_text_around_an_embed_never_changes_what_is_found(before: str, embed: str, after: str) -> None:
    text = f"{before}\n\n{embed}\n\n{after}"
    assert found_in(text.encode()) == [(text.encode().partition(embed.encode())[0].count(b"\n") + 1, ID)]


@given(LINES, EMBEDS, LINES, st.sampled_from(["```", "~~~", "`````", "  ```"]), st.booleans())
def test_a_code_fence_hides_every_embed(before: str, embed: str, after: str, fence: str, closed: bool) -> None:
    text = f"{before}\n\n{fence}\n{embed}\n{after}\n" + (f"{fence}\n" if closed else "")
    assert found_in(text.encode(), "a.md") == []


@given(st.text(st.sampled_from("`~<>!?-{}%/*#$ab1. \n\t")), st.sampled_from([".md", ".html", ".adoc"]))
def test_blanking_keeps_positions_and_line_breaks(text: str, suffix: str) -> None:
    blanked = without_indented_code(without_code_and_comments(text, suffix))
    assert len(blanked) == len(text)
    assert all(new in {old, HIDDEN} for old, new in zip(text, blanked, strict=True))
    assert blanked.count("\n") == text.count("\n")


@given(
    st.binary() | st.lists(EMBEDS | st.text(st.sampled_from("`<>{}%\n -"))).map(lambda parts: "".join(parts).encode())
)
def test_no_bytes_are_too_odd_and_what_is_found_is_written_there(data: bytes) -> None:
    for line, video in found_in(data):
        assert video.encode() in data
        assert 1 <= line <= data.count(b"\n") + 1


@pytest.mark.skipif("SYNCER_CORPUS" not in os.environ, reason="SYNCER_CORPUS names no directory with real pages")
def test_real_pages_have_the_embeds_that_a_plain_search_finds_outside_of_code() -> None:
    """A second reading of the same pages, line by line, of the commonest forms, each of which is on one line."""
    simple = re.compile(
        rb"\{\{< youtube ([\w-]{11}) >\}\}|\{% youtube ([\w-]{11}) %\}|<iframe[^>]*youtube\.com/embed/([\w-]{11})"
        rb'|<YouTube id="([\w-]{11})" />|^<?https://(?:(?:www\.)?youtube\.com/watch\?v=|youtu\.be/)([\w-]{11})\S*$'
        rb"|^!\[\]\(https://www\.youtube\.com/watch\?v=([\w-]{11})\)$"
    )
    pages = 0
    for path in Path(os.environ["SYNCER_CORPUS"]).rglob("*"):
        if path.suffix not in {".md", ".mdx", ".markdown"} or not path.is_file():
            continue
        data = path.read_bytes()
        found = set(found_in(data, path.name))
        expected, fenced = set[tuple[int, str]](), False
        for number, line in enumerate(data.split(b"\n"), 1):
            fenced ^= line.lstrip().startswith((b"```", b"~~~"))
            if not fenced and (match := simple.search(line.rstrip())):
                expected.add((number, next(filter(None, match.groups())).decode()))
            elif fenced:
                assert number not in {each for each, _ in found}, f"{path}:{number} is code"
        assert found == expected, path
        pages += bool(found)
    assert pages
