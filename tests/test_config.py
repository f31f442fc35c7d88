"""The config: every value, every mistake, and their lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from syncer import model
from syncer.config.parse import parse_config
from syncer.config.sections import Config
from syncer.decide.availability import COUNTRIES
from syncer.errors import ConfigError
from syncer.model import Count
from tests.examples import examples

SHIPPED = Path(__file__).parent.parent / "config" / "syncer.yaml"
FILE = Path("/srv/site/config/syncer.yaml")
LEAST = """\
collections:
  - directory: content
    fields:
      video_id: vid_id
      counts: {viewCount: viewcount}
"""
KEY = "AIza" + "SyNoKeyOfAnyProject_-0123456789abcd"
NEW_KEY = "AQ." + "Ab8NoKeyOfAnyProject_-0123456789-abcdefghijklmnopq"
"""In the form of Google's keys, and no key."""
LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n + 1}: &a{n + 1} [{','.join([f'*a{n}'] * 9)}]\n" for n in range(9)
)
"""A billion values in ten lines."""


def parse(text: str) -> Config:
    return parse_config(text, FILE)


def findings(text: str) -> list[str]:
    """What is wrong, each without the name of the file: `LINE: KEY: sentence`."""
    with pytest.raises(ConfigError) as caught:
        parse(text)
    prefix = f"{FILE}:"
    lines = str(caught.value).split("\n")
    assert all(line.startswith(prefix) for line in lines)
    return [line.removeprefix(prefix) for line in lines]


def with_fields(fields: str) -> str:
    return f"collections:\n- directory: content\n  fields: {fields}\n"


def test_the_shipped_config_is_valid_and_shows_every_default() -> None:
    shipped = parse_config(SHIPPED.read_text(encoding="utf-8"), SHIPPED)
    least = parse_config(LEAST, SHIPPED)
    assert shipped.model_copy(update={"collections": ()}) == least.model_copy(update={"collections": ()})
    assert shipped.collections[0].include == least.collections[0].include


def test_the_shipped_config_states_nothing_that_sites_of_one_daemon_or_ledger_have_together() -> None:
    shipped = parse_config(SHIPPED.read_text(encoding="utf-8"), SHIPPED)
    assert "status_page" not in shipped.model_fields_set
    assert shipped.quota.model_fields_set == {"ledger", "share", "reserve"}


def test_every_key_reaches_its_attribute_with_its_type() -> None:
    config = parse("""\
site: ../..
collections:
- directory: ./content//_posts/
  include: ["**/*.mdx"]
  exclude: [drafts/]
  fields:
    video_id: "videos[].meta.id"
    counts: {viewCount: meta.views, likeCount: meta.likes, commentCount: meta.comments}
    insert_missing: true
youtube:
  endpoint: http://127.0.0.1:8080
  api_key_file: ../key
  timeout: 5s
  connections: 16
  retry: {attempts: 10, longest_wait: 2m, deadline: 1h}
quota: {stats_units_per_day: 500, general_units_per_day: 300, reserve: 0}
schedule: {cron: "30 4 * * 1-5", timezone: Europe/Berlin, jitter: 0s}
history: {keep: 400d, authorized: true}
state: {directory: /var/lib/syncer}
""")
    assert config.site == Path("/srv")
    assert config.state_directory == Path("/var/lib/syncer")
    assert config.collections[0].as_model() == model.Collection(
        directory="content/_posts",
        include=("**/*.mdx",),
        exclude=("drafts/",),
        fields=model.Fields(
            "videos[].meta.id",
            {Count.VIEWS: "meta.views", Count.LIKES: "meta.likes", Count.COMMENTS: "meta.comments"},
            insert_missing=True,
        ),
    )
    assert config.youtube.endpoint == "http://127.0.0.1:8080/"
    assert config.youtube.api_key_file == "../key"
    assert config.youtube.timeout == timedelta(seconds=5)
    assert (config.youtube.retry.attempts, config.youtube.retry.longest_wait) == (10, timedelta(minutes=2))
    assert config.quota.reserve == 0
    assert config.schedule.cron is not None
    assert config.schedule.cron.weekdays == ("mon", "tue", "wed", "thu", "fri")
    assert config.schedule.timezone == ZoneInfo("Europe/Berlin")
    assert config.schedule.jitter == timedelta()
    assert config.history.keep == timedelta(days=400)


def test_the_site_is_relative_to_the_file_and_the_state_to_the_site() -> None:
    assert parse(LEAST).site == Path("/srv/site")
    assert parse(LEAST).state_directory == Path("/srv/site/.syncer")
    assert parse("site: /elsewhere\n" + LEAST).state_directory == Path("/elsewhere/.syncer")
    assert parse_config(LEAST, Path("config/syncer.yaml")).site == Path(os.getcwd())


def test_regions_are_the_countries_of_the_time_zone_database_and_kosovo() -> None:
    table = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text("utf-8")
    known = {line.split("\t")[0] for line in table.splitlines() if not line.startswith("#")}
    assert {*COUNTRIES.split()} == known | {"XK"}


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        parse(LEAST).site = Path("/")


def test_an_alias_repeats_the_fields_of_another_collection() -> None:
    first, second = parse("""\
collections:
- directory: a
  fields: &fields {video_id: id, counts: {viewCount: views}}
- directory: b
  fields: *fields
""").collections
    assert first.as_model().fields == second.as_model().fields


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm() -> None:
    assert parse("\ufeff" + LEAST.replace("\n", "\r\n")) == parse(LEAST)
    assert findings("\ufeffsite: ..\r\nsite: .\r\n" + LEAST) == ["2: site: is a duplicate of line 1; keep one of them"]


def test_all_mistakes_are_reported_at_once_in_the_order_of_lines() -> None:
    mistakes = findings("""\
site: [..]
colections: []
collections:
- directory: ../other
  include: "*.md"
  fields:
    video_id: videos[].id
    counts:
      viewcount: views
      likeCount: videos[].likes
youtube: {connections: 17, timeout: 20}
connections: 4
quota:
  reserve: "200"
schedule: {every: 6h, cron: "* * * * *"}
""")
    assert [line.split(": ")[:2] for line in mistakes] == [
        ["1", "site"],
        ["2", "colections"],
        ["4", "collections[0].directory"],
        ["5", "collections[0].include"],
        ["9", "collections[0].fields.counts.viewcount"],
        ["11", "youtube.connections"],
        ["11", "youtube.timeout"],
        ["12", "connections"],
        ["14", "quota.reserve"],
        ["15", "schedule.cron"],
    ]


@pytest.mark.parametrize(
    ("collection", "keys"),
    [
        ("directory: content, feilds: {video_id: a, counts: {viewCount: b}}", ["feilds"]),
        ("directory: content, fields: {video_id: a, cuonts: {viewCount: b}}", ["fields.cuonts"]),
        ("directory: content, sheets: {video_id: a}", ["fields", "sheets"]),
    ],
)
def test_a_key_that_is_missing_because_it_is_misspelt_is_one_mistake(collection: str, keys: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"collections: [{{{collection}}}]\n", Path("syncer.yaml"))
    found = [line.split(": ")[1].removeprefix("collections[0].") for line in str(caught.value).splitlines()]
    assert sorted(found) == keys


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (
            "colour: red\n",
            "1: colour: unknown key; the keys here are site, name, collections, youtube, quota, schedule, write",
        ),
        ("yotube: {}\n", "1: yotube: unknown key; did you mean `youtube`?"),
        ("timeout: 5s\n", "1: timeout: unknown key here; did you mean `youtube.timeout`?"),
        ("zebra: {commit: true}\n", "1: zebra: unknown key; the keys here are "),
        ("git: {push: true}\n", "1: git.push: needs `commit: true`"),
        (
            "git: {message: '{page} done'}\n",
            "1: git.message: has `{page}`, which is unknown; use `{subject}`",
        ),
        ('git: {message: "a\\nb"}\n', "1: git.message: must be one line"),
        ("git: {author: Ada}\n", "1: git.author: must be a name and an email address"),
        ("git: {remote: 'https://h/r.git'}\n", "1: git.remote: is a URL and needs `push: true`"),
        ("git: {commit: true, remote: 'ssh://git@h/r'}\n", "1: git.remote: is a URL and needs `push: true`"),
        ("write: {colour: 1}\n", "1: write.colour: unknown key; the keys here are in_place, min_change, rounding"),
        (
            "write: {brake: {missing: 50}}\n",
            "1: write.brake.missing: must be a whole percentage from `0%` to `100%`, such as `50%`",
        ),
        ("deploy: {when: 0.5%}\n", "1: deploy.when: must be a whole percentage from `0%` to `100%`"),
        ("write: {brake: {falling: 101%}}\n", "1: write.brake.falling: must be a whole percentage from `0%` to `100%`"),
        ("youtube: {proxy: null}\n", "1: youtube.proxy: unknown key; the keys here are "),
        ("youtube: {retry: {atempts: 3}}\n", "1: youtube.retry.atempts: unknown key; did you mean `attempts`?"),
        ("youtube:\n", "1: youtube: must be a mapping of keys and values, but is empty; remove the key"),
        ("youtube: [a]\n", "1: youtube: must be a mapping of keys and values, but is a list"),
        ("youtube: {connections: 0}\n", "1: youtube.connections: must be at least 1"),
        ("youtube: {connections: 2.5}\n", "1: youtube.connections: must be a whole number, but is a number with"),
        (
            "youtube: {connections: '4'}\n",
            "1: youtube.connections: must be a whole number, but is text; remove the quo",
        ),
        ("youtube: {connections: yes}\n", "1: youtube.connections: must be a whole number, but is true or false"),
        ("youtube: {connections: 0x4}\n", "1: youtube.connections: must be a whole number, but is text"),
        ("youtube: {retry: {attempts: 11}}\n", "1: youtube.retry.attempts: must be at most 10"),
        ("youtube: {timeout: 1.5s}\n", "1: youtube.timeout: must be a whole number and a unit (s, m, h or d)"),
        ("youtube: {timeout: 20}\n", "1: youtube.timeout: must be a whole number and a unit (s, m, h or d)"),
        ("youtube: {timeout: 0s}\n", "1: youtube.timeout: must be longer than zero"),
        ("youtube: {timeout: 9999d}\n", "1: youtube.timeout: is too long"),
        ("youtube: {endpoint: ftp://x/}\n", "1: youtube.endpoint: must be a full URL"),
        ("youtube: {endpoint: youtube.com}\n", "1: youtube.endpoint: must be a full URL"),
        ("youtube: {endpoint: 'https://'}\n", "1: youtube.endpoint: must be a full URL"),
        ("youtube: {endpoint: 'http://a.example/'}\n", "1: youtube.endpoint: would send the key unencrypted"),
        ("youtube: {endpoint: 'http://0.0.0.0/'}\n", "1: youtube.endpoint: would send the key unencrypted"),
        (
            "youtube: {endpoint: 'https://me:pw@a.example/'}\n",
            "1: youtube.endpoint: must not contain a user name or password",
        ),
        ("youtube: {endpoint: 'https://a.example/?key=1'}\n", "1: youtube.endpoint: must not contain a query"),
        ("youtube: {endpoint: 'https://a.example:x/'}\n", "1: youtube.endpoint: is not a valid URL"),
        ("youtube: {endpoint: 'https://[::1/'}\n", "1: youtube.endpoint: is not a valid URL"),
        ("youtube: {endpoint: 'https://a b/'}\n", "1: youtube.endpoint: has a character that is not allowed in a URL"),
        ("youtube: {api_key_env: 'MY KEY'}\n", "1: youtube.api_key_env: must be the name of an environment variable"),
        ("youtube: {api_key_file: ~/key}\n", "1: youtube.api_key_file: starts with `~`"),
        ("youtube: {api_key_env: A, api_key_file: k}\n", "1: youtube.api_key_file: conflicts with `api_key_env`"),
        ("quota: {stats_units_per_day: 0}\n", "1: quota.stats_units_per_day: must be at least 1"),
        (
            "status_page: {listen: null}\n",
            "1: status_page.listen: is empty; for no status page, write `status_page: null`",
        ),
        (
            "quota: {general_units_per_day: 200}\n",
            "1: quota.reserve: leaves no units for scheduled syncs; make it smaller than 200",
        ),
        ("quota: {share: 20%}\n", "1: quota.share: needs `ledger`"),
        *(
            (
                f"quota: {{ledger: q, share: {share}}}\n",
                "1: quota.share: must be a whole percentage from `1%` to `100%`",
            )
            for share in ("0%", "00%", "101%", "20", "0.2", "2.5%", "-1%", "''")
        ),
        ("quota: {ledger: 'mysql://h/q'}\n", "1: quota.ledger: is not the address of a PostgreSQL server; write"),
        ("quota: {ledger: 'postgresql://u:pass@h/q'}\n", "1: quota.ledger: has a password, and the config is"),
        ("quota: {ledger: 'postgres://h/q?sslmode=require&password=pass'}\n", "1: quota.ledger: has a password"),
        ("quota: {ledger: 'postgresql://u:pa/ss?w@h/q'}\n", "1: quota.ledger: has a password, and the config is"),
        ("quota: {ledger: 'postgresql://h/q?p%61ssword=pass'}\n", "1: quota.ledger: has a password, and the config is"),
        ("quota: {ledger: 'postgresql://h/q?PassWord=pass'}\n", "1: quota.ledger: has a password, and the config is"),
        (
            "quota: {ledger: 'postgresql://h/q?sslpassword=pass'}\n",
            "1: quota.ledger: has a password, and the config is",
        ),
        ("quota: {ledger: 'postgresql://h/q?oauth_client_secret=pass'}\n", "1: quota.ledger: has a password"),
        ("quota: {ledger: 'postgresql:/u:pass@h/q'}\n", "1: quota.ledger: is not the address of a PostgreSQL server"),
        ("quota: {ledger: 'postgres:u:pass@h'}\n", "1: quota.ledger: is not the address of a PostgreSQL server; write"),
        ("quota: {ledger: 'POSTGRES:u:pass@h'}\n", "1: quota.ledger: is not the address of a PostgreSQL server; write"),
        ("quota: {ledger: 'POSTGRES://h/q'}\n", "1: quota.ledger: is not the address of a PostgreSQL server; write"),
        ("quota: {ledger: 'Host=/run SSLPassword=p'}\n", "1: quota.ledger: is not the address of a PostgreSQL server"),
        ("quota: {ledger: 'host=db dbname=q'}\n", "1: quota.ledger: is not the address of a PostgreSQL server; write"),
        ("quota: {ledger: ' port=1 password = p'}\n", "1: quota.ledger: is not the address of a PostgreSQL server"),
        ("quota: {ledger: 'postgresql://user@h'}\n", "1: quota.ledger: names no database"),
        ("quota: {ledger: 'postgresql://user@h/?dbname=q'}\n", "1: quota.ledger: names no database"),
        ("quota: {ledger: 'postgresql://h/q r'}\n", "1: quota.ledger: has a space or a control character"),
        ("quota: {ledger: ''}\n", "1: quota.ledger: must not be empty"),
        ("quota: {ledger: ~/q.sqlite3}\n", "1: quota.ledger: starts with `~`"),
        ("schedule: {cron: '61 * * * *'}\n", "1: schedule.cron: has `61` as minute; it must be from 0 to 59"),
        ("schedule: {every: 6h, cron: '0 * * * *'}\n", "1: schedule.cron: conflicts with `every`; keep one"),
        ("schedule: {every: 1m, jitter: 1m}\n", "1: schedule.jitter: must be shorter than `every`"),
        ("schedule: {timezone: Europe/Berln}\n", "1: schedule.timezone: is not a known timezone"),
        ("schedule: {timezone: Europe}\n", "1: schedule.timezone: is not a known timezone"),
        ("schedule: {timezone: ../../etc/passwd}\n", "1: schedule.timezone: is not a known timezone"),
        ("schedule: {timezone: ''}\n", "1: schedule.timezone: is not a known timezone"),
        ("schedule: {timezone: 1}\n", "1: schedule.timezone: must be text; put it in quotes"),
        (
            "availability: {regions: [DE, UK]}\n",
            "1: availability.regions[1]: is not the code of a country; did you mean `GB`?",
        ),
        (
            "availability: {regions: [de]}\n",
            "1: availability.regions[0]: is not the code of a country; did you mean `DE`?",
        ),
        ("availability: {regions: [XX]}\n", "1: availability.regions[0]: is not the code of a country in ISO 3166-1"),
        ("availability: {regions: ['D ']}\n", "1: availability.regions[0]: is not the code of a country in ISO 3166-1"),
        ("history: {keep: 31d}\n", "1: history.keep: is longer than YouTube's terms allow"),
        ("history: {keep: 31d, authorized: 'true'}\n", "1: history.authorized: must be `true` or `false`, but is text"),
        ("state: {directory: ''}\n", "1: state.directory: must not be empty"),
        ('state: {directory: "a\\0b"}\n', "1: state.directory: must not contain a NUL"),
        ("site: 5\n", "1: site: must be text; put it in quotes"),
        ("site: ~\n", "1: site: must be text"),
        ("state: &a {directory: *a}\n", "1: state.directory: refers to itself"),
        ("state: !mine {directory: x}\n", "1: state: has a YAML tag that is not supported"),
        ("<<: {site: .}\n", "1: a `<<` merge is not supported"),
        ("[a]: 1\n", "1: a key is a list or a mapping"),
        ("youtube:\n  timeout: 1s\n  timeout: 2s\n", "3: youtube.timeout: is a duplicate of line 2; keep one"),
    ],
)
def test_each_mistake_is_one_sentence_with_its_key_and_line(text: str, finding: str) -> None:
    mistakes = findings(text + LEAST)
    assert len(mistakes) == 1
    assert mistakes[0].startswith(finding)


@pytest.mark.parametrize(
    ("collections", "finding"),
    [
        ("", "1: collections: must be a list, but is empty"),
        (" []", "1: collections: must not be empty"),
        (" [5]", "1: collections[0]: must be a mapping of keys and values, but is a number"),
        (" [{fields: {video_id: a, counts: {viewCount: b}}}]", "1: collections[0].directory: is missing; add it, for"),
        (
            " [{directory: a}]",
            "1: collections[0].fields: is missing; add it, for example `fields: {video_id: vid_id, c",
        ),
        (
            "\n- directory: /a\n  fields: {video_id: a, counts: {viewCount: b}}",
            "2: collections[0].directory: must be re",
        ),
        (
            "\n- directory: a/../..\n  fields: {video_id: a, counts: {viewCount: b}}",
            "2: collections[0].directory: is outside the site",
        ),
        (
            "\n- directory: a\\b\n  fields: {video_id: a, counts: {viewCount: b}}",
            "2: collections[0].directory: has a b",
        ),
        (
            "\n- directory: a\n  include: []\n  fields: {video_id: a, counts: {viewCount: b}}",
            "3: collections[0].include: must not be empty",
        ),
        (
            "\n- directory: a\n  exclude:\n  - x\n  - ' '\n  fields: {video_id: a, counts: {viewCount: b}}",
            "5: collections[0].exclude[1]: is an empty pattern",
        ),
    ],
)
def test_a_collection_names_a_directory_of_the_site_and_its_fields(collections: str, finding: str) -> None:
    mistakes = findings(f"collections:{collections}\n")
    assert len(mistakes) == 1
    assert mistakes[0].startswith(finding)


@pytest.mark.parametrize(
    ("fields", "key", "sentence"),
    [
        ("{counts: {viewCount: a}}", "", ".video_id: is missing; add it, for example `video_id: vid_id`"),
        ("{video_id: a}", "", ".counts: is missing; add it, for example `counts: {viewCount: viewcount}`"),
        ("{video_id: a, counts: [b]}", ".counts", ": must be a mapping of keys and values, but is a list"),
        ("{video_id: 5, counts: {viewCount: b}}", ".video_id", ": must be text, but is a number; put it in quotes"),
        ("{video_id: a, counts: {viewCount: no}}", ".counts.viewCount", ": must be text, but is true or false; put it"),
        (
            "{video_id: a, counts: {viewCuont: b}}",
            ".counts.viewCuont",
            ": is not a YouTube count; did you mean `viewC",
        ),
        ("{video_id: a, counts: {views: b}}", ".counts.views", ": is not a YouTube count; did you mean `viewCount`?"),
        (
            "{video_id: a, counts: {x: b}}",
            ".counts.x",
            ": is not a YouTube count; the counts are viewCount, likeCount",
        ),
        (
            "{video_id: a, counts: {shares: viewCount}}",
            ".counts.shares",
            ": is not a YouTube count; swap the two: `viewCount: s",
        ),
        (
            "{video_id: a, counts: {dislikeCount: b}}",
            ".counts.dislikeCount",
            ": YouTube no longer publishes dislike counts",
        ),
        ("{video_id: a, counts: {viewCount: a}}", ".counts.viewCount", ": is also the key of `video_id`; each needs"),
        (
            "{video_id: a, counts: {viewCount: b, likeCount: b}}",
            ".counts.likeCount",
            ": is also the key of `viewCount`",
        ),
        (
            "{video_id: a.b, counts: {viewCount: a}}",
            ".counts.viewCount",
            ": conflicts with `a.b` of `video_",
        ),
        (
            "{video_id: a, counts: {viewCount: a.b}}",
            ".counts.viewCount",
            ": conflicts with `a` of `video_id",
        ),
        ("{video_id: a..b, counts: {viewCount: c}}", ".video_id", ": has an empty part"),
        ("{video_id: .a, counts: {viewCount: c}}", ".video_id", ": has an empty part"),
        ("{video_id: '', counts: {viewCount: c}}", ".video_id", ": has an empty part"),
        ("{video_id: 'a .b', counts: {viewCount: c}}", ".video_id", ": has a space beside a dot"),
        ("{video_id: 'a[]', counts: {viewCount: c}}", ".video_id", ": ends at a list; name the key inside its items"),
        ("{video_id: 'a[0].id', counts: {viewCount: c}}", ".video_id", ": has a misplaced bracket"),
        ("{video_id: 'a[]id', counts: {viewCount: c}}", ".video_id", ": has a misplaced bracket"),
        (
            "{video_id: 'a[].id', counts: {viewCount: 'a[].n'}}",
            ".counts.viewCount",
            ": must be named from the list item; write `n`",
        ),
        (
            "{video_id: 'a[].id', counts: {viewCount: 'b[].n'}}",
            ".counts.viewCount",
            ": is in another list than `video_id`",
        ),
        ("{video_id: a, counts: {viewCount: 'b[].n'}}", ".counts.viewCount", ": is in a list but `video_id` is not"),
        ("{video_id: a, counts: {viewCount: b}, insert_missing: 1}", ".insert_missing", ": must be `true` or `false`"),
        ("{video_id: a, counts: {viewCount: b}, insert_as: text}", ".insert_as", ": must be `number` or `string`"),
        (
            "{video_id: a, counts: {viewCount: views, likeCount: Views}}",
            ".counts.likeCount",
            ": differs from `views` of `viewCount` only in letter case, which Hugo ignores; use the same letters",
        ),
        (
            "{video_id: youtube, counts: {viewCount: YouTube}}",
            ".counts.viewCount",
            ": differs from `youtube` of `video_id` only in letter case, which Hugo ignores; use the same letters",
        ),
        (
            "{video_id: 'v[].Meta.id', counts: {viewCount: meta.views}}",
            ".counts.viewCount",
            ": differs from `Meta.id` of `video_id` only in letter case, which Hugo ignores; use the same letters",
        ),
        (
            "{video_id: a.b, counts: {viewCount: a.c, likeCount: d}, insert_missing: true}",
            ".counts.likeCount",
            ": cannot be inserted: with insert_missing, the key must be under `a`",
        ),
        (
            "{video_id: 'v[].id', counts: {viewCount: s.n}, insert_missing: true}",
            ".counts.viewCount",
            ": cannot be inserted: with insert_missing, the key must be at the same level",
        ),
    ],
)
def test_a_field_mapping_that_cannot_work_is_refused(fields: str, key: str, sentence: str) -> None:
    mistakes = findings(with_fields(fields))
    assert len(mistakes) == 1
    assert mistakes[0].startswith(f"3: collections[0].fields{key}{sentence}")


def test_without_insert_missing_a_count_can_be_under_another_parent() -> None:
    config = parse(with_fields("{video_id: links.youtube, counts: {viewCount: views, likeCount: stats.likes}}"))
    assert config.collections[0].as_model().fields.counts == {Count.VIEWS: "views", Count.LIKES: "stats.likes"}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1:99", "[::1]:8080"])
def test_plain_http_is_only_for_loopback(host: str) -> None:
    text = f"youtube: {{endpoint: 'http://{host}/'}}\n"
    assert parse(text + LEAST).youtube.endpoint == f"http://{host}/"


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("", 1, "the config is empty"),
        ("# nothing\n\n", 1, "the config is empty"),
        ("- a\n", 1, "the config must be a mapping"),
        ("\n\njust words\n", 3, "the config must be a mapping"),
        ("a:\n  b: 1\n c: 2\n", 3, "is not valid YAML"),
        ("site: ..\n\tx: 1\n", 2, "is not valid YAML: while scanning for the next token, found character '\\t' that"),
        ("a: [1,\n\n", 1, "is not valid YAML"),
        ("schedule: {cron: */5 * * * *}\n", 1, "is not valid YAML: while scanning an alias"),
        ("a: {b: videos[].id}\n", 1, "is not valid YAML: while parsing a flow mapping"),
        ("a: b: c\n", 1, "is not valid YAML: mapping values are not allowed here; check the indentation"),
        ("a: 1\n---\na: 1\n", 2, "is not valid YAML: expected a single document"),
        ("a: 1\nb: \x07\n", 2, "is not valid YAML: the character U+0007 is not allowed"),
        ('a: "\\U00110000"\n', 1, "is not valid YAML"),
        ("[" * 5000, 1, "is nested too deeply"),
        (LAUGHS, 1, "is not valid YAML: there are more than 10,000"),
    ],
)
def test_a_text_that_is_not_a_mapping_is_an_error_with_its_line(text: str, line: int, sentence: str) -> None:
    mistakes = findings(text)
    assert len(mistakes) == 1
    assert mistakes[0].startswith(f"{line}: {sentence}")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"youtube: {{api_key: {KEY}}}\n", "1: youtube.api_key: "),
        (f"youtube:\n  api_key_env: {KEY}\n", "2: youtube.api_key_env: "),
        (f"api-key: {KEY}\n", "1: api-key: "),
        (f"# my key: {KEY}\n", "1: "),
        (f"state:\n  directory: >\n    a\n    {KEY}\n", "2: state.directory: "),
        (f"{KEY}: 1\n", "1: AIza...: "),
        (f"youtube: {{endpoint: 'https://a.example/?key={KEY}'}}\n", "1: youtube.endpoint: "),
        (f"{KEY}: 1: 2\n", "1: "),
        (f"schedule: {{cron: {KEY}}}\n", "1: schedule.cron: "),
        (f'state: {{directory: "AIz\\x61{KEY[4:]}"}}\n', "1: state.directory: "),
        ("youtube: {api_key: abc}\n", "1: youtube.api_key: "),
        (f"youtube: {{api_key: {NEW_KEY}}}\n", "1: youtube.api_key: "),
        (f"# my key:{NEW_KEY}\n", "1: "),
        (f"{NEW_KEY}: 1\n", "1: AQ....: "),
        (f"youtube: {{endpoint: 'https://a.example/?key={NEW_KEY}'}}\n", "1: youtube.endpoint: "),
        (f"notify: {{ping: 'https://a.example/?u=x%3D{NEW_KEY.replace('.', '%2e')}'}}\n", "1: notify.ping: "),
        (f"state: {{directory: {NEW_KEY[:19]}}}\n", "1: state.directory: "),
    ],
)
def test_a_key_in_the_config_is_refused_and_never_printed(text: str, place: str) -> None:
    mistakes = findings(text + LEAST)
    assert any(line.startswith(place) for line in mistakes)
    assert any("youtube.api_key_env names (YOUTUBE_API_KEY)" in line for line in mistakes)
    assert not any(part in line for key in (KEY, NEW_KEY) for part in (key[4:19], key[-10:]) for line in mistakes)


@pytest.mark.parametrize("name", ["FAQ.a-page-of-many-questions", "AQ.short", "a_AQ.a-page-of-many-questions"])
def test_a_name_that_only_looks_like_the_beginning_of_a_key_is_not_one(name: str) -> None:
    assert parse(f"state: {{directory: {name}}}\n" + LEAST).state_directory.name == name


def test_odd_text_that_is_quoted_in_a_message_stays_on_its_line() -> None:
    assert findings('"a\\nb\\e": 1\n' + LEAST)[0].startswith("1: a\\nb\\x1b: unknown key")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("deploy: { hook_env:https://api.example.org/hook-5f3a9c0e }", "deploy.hook_env:https://...: unknown key"),
        ("deploy: {'https://api.example.org/hook-5f3a9c0e': 1}", "deploy.https://...: unknown key"),
        ('deploy: {" https://api.example.org/\\nhook-5f3a9c0e ": 1}', "deploy.' https://...': unknown key"),
        ("deploy_https://api.example.org/hook-5f3a9c0e:", "deploy_https://...: unknown key"),
        ("'https://a.example.org/hook-5f3a9c0e': 1\n'https://a.example.org/hook-5f3a9c0e': 1", "https://...: is a dup"),
        ("https://a.example.org/hook-5f3a9c0e: !secret 1", "https://...: has a YAML tag that is not supported"),
    ],
)
def test_an_address_in_a_key_is_cut_off_because_it_may_be_a_secret(text: str, shown: str) -> None:
    found = findings(f"{text}\n{LEAST}")
    assert any(shown in finding for finding in found), found
    assert not any("hook-5f3a9c0e" in finding for finding in found)


def test_messages_have_no_jargon_of_pydantic() -> None:
    mistakes = "\n".join(findings("site: [..]\nstate: 1\nyoutube: {retry: x, connections: a}\ncollections: {}\nx: 1\n"))
    assert not re.search(
        "pydantic|validat|valid string|tuple|dict|instance|extra|forbidden|input", mistakes, re.IGNORECASE
    )


yaml_texts = st.text(
    st.sampled_from("ab:-[]{}&*!|>'\"%@#,? \n\t\r~.=<\x85\u2028\ufeff0") | st.characters(), max_size=60
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
names = st.sampled_from([
    *Config.model_fields, "directory", "fields", "video_id", "counts", "viewCount", "every", "cron", "retry", "keep",
])  # fmt: skip
data = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=5), inner, max_size=4)
)


@examples(300)
@given(yaml_texts | data.map(lambda value: yaml.safe_dump(value, allow_unicode=True)))
@example("%YAML 1.99999\n---\na: 1")
@example("a: !!int x\n")
@example("a: !!float ''\nb: 1e999999\nc: !!bool maybe\n")
@example('? "\\ud800"\n')
@example("a: \ud800")
@example("\x85\x85: [")
@example("? '\x85'")
@example("' 0':")
def test_any_text_is_a_config_or_a_config_error_with_lines_in_the_file(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        for line in str(error).split("\n"):
            match = re.match(re.escape(str(FILE)) + r":(\d+): \S", line)
            assert match, line
            assert 1 <= int(match[1]) <= max(1, len(text.rstrip("\n").split("\n")))


def test_the_default_config_is_read_in_less_than_thirty_milliseconds() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    times = []
    for _ in range(5):
        start = time.process_time()
        parse_config(text, SHIPPED)
        times.append(time.process_time() - start)
    assert min(times) < 0.03


def test_the_command_is_there_before_pydantic_is() -> None:
    code = "import sys, syncer.__main__; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("write: {min_change: 1.5}\n", "1: write.min_change: must be a whole number such as `25`, or a percentage"),
        ("write: {min_change: -1}\n", "1: write.min_change: must be a whole number"),
        (
            f"write: {{min_change: {10**30}}}\n",
            "1: write.min_change: must be at most 9,223,372,036,854,775,807: no count is larger",
        ),
        ("write: {min_change: 101%}\n", "1: write.min_change: must be a whole number"),
        ("write: {min_change: {views: 1%}}\n", "1: write.min_change.views: is not a YouTube count; did you mean"),
        ("write: {min_change: {viewCount: x}}\n", "1: write.min_change.viewCount: must be a whole number"),
        ("write: {rounding: up}\n", "1: write.rounding: must be `exact` or `display`"),
        (
            f"write: {{at_least_every: 6d, at_most_every: 1d}}\n{LEAST}    write: {{at_least_every: 6h}}\n",
            "7: collections[0].write.at_least_every: is shorter than `write.at_most_every`; make it at least 1d",
        ),
        (
            "write: {at_least_every: 6d, at_most_every: 12d}\n",
            "1: write.at_least_every: is shorter than `write.at_most_every`; make it at least 12d",
        ),
    ],
)
def test_a_policy_that_cannot_be_kept_is_explained(text: str, finding: str) -> None:
    (mistake,) = findings(text if "collections" in text else text + LEAST)
    assert mistake.startswith(finding)


def test_a_collection_overrides_the_policy_key_by_key() -> None:
    config = parse_config(
        "write: {min_change: 0.5%, at_least_every: 28d, at_most_every: 12d}\n"
        "collections:\n"
        "- {directory: a, fields: {video_id: a, counts: {viewCount: b}}, write: {rounding: display}}\n"
        "- {directory: b, fields: {video_id: a, counts: {viewCount: b}}, write: {at_least_every: ~, min_change: 0}}\n",
        Path("syncer.yaml"),
    )
    days, half = timedelta(days=1), dict.fromkeys(Count, model.Threshold(share=50))
    assert config.policies == [
        model.WritePolicy(half, display=True, at_least_every=28 * days, at_most_every=12 * days),
        model.WritePolicy({}, display=False, at_least_every=None, at_most_every=12 * days),
    ]


def test_a_policy_that_finds_no_count_too_small_has_no_use_for_when_each_was_written() -> None:
    (policy,) = parse(f"write: {{at_least_every: 28d, at_most_every: 12d}}\n{LEAST}").policies
    assert (policy.at_least_every, policy.at_most_every) == (None, timedelta(days=12))


@pytest.mark.parametrize(
    ("site", "name"),
    [("/srv/my blog", "my blog"), ("/", "root"), ("/srv/a\udcff\x1b", r"a\udcff\x1b"), ("/srv/caf\u00e9", "caf\u00e9")],
)
def test_a_site_without_a_name_is_called_by_its_directory_so_that_an_address_and_a_metric_can_name_it(
    site: str, name: str
) -> None:
    config = parse(LEAST).model_copy(update={"site": Path(site)})
    assert config.site_name == name
    assert config.model_copy(update={"name": "given"}).site_name == "given"
