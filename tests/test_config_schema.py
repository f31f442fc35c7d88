"""The JSON Schema that editors use: the committed one is current, and agrees with the config."""

from __future__ import annotations

import json

import pytest
import yaml
from jsonschema import Draft202012Validator

from syncer.config.parse import parse_config
from syncer.errors import ConfigError
from tests.config_schema import COMMITTED, schema, schema_text
from tests.doc_blocks import ROOT

SHIPPED = ROOT / "config" / "syncer.yaml"
REWRITE = "write the schema again: .venv/bin/python -m tests.config_schema"
LEAST = "collections: [{directory: content, fields: {video_id: id, counts: {viewCount: views}}}]\n"

REMOTES = [
    "origin", "forks/ann", "https://git.example.org/ann/site.git", "https://git.example.org:8443/~ann/a@b",
    "ssh://git.example.org/site", "ssh://git@git.example.org:2222/ann/site.git", "ssh://git@[::1]/site",
    "git@git.example.org:ann/site.git", "gitea:site", "[::1]:site", "file:///srv/git/site.git",
]  # fmt: skip
NO_REMOTES = [
    "-x", "--upload-pack=x", "-o@host:x", "git@host:-x", "ssh://-oProxyCommand=x/y", "ssh://%2doProxyCommand=x/y",
    "ext::sh", "ext::sh -c x", "fd::7", "odd::https://host/x", "http://host/x", "git://host/x", "file://host/x",
    "file://x", "file:x", "https:/host/x", "https://host", "ssh://host/", "host:", "x://y", "C:\\site",
    "https://host/x?private_token=y", "https://host/x#y", "https://host/a b", "origin ", "",
]  # fmt: skip
WITH_SECRETS = [
    "https://ann:token@host/x", "https://token@host/x", "HTTPS://ann:token@host/x", "ssh://git:token@host/x",
    "ann:token@host:x", "http://token@host/x",
]  # fmt: skip


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    read = json.loads(COMMITTED.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(read)
    return Draft202012Validator(read)


def test_the_committed_schema_is_that_of_the_config() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(), REWRITE


def test_every_key_is_described() -> None:
    sections = [schema(), *(definition for definition in definitions().values() if "properties" in definition)]
    for section in sections:
        properties = section["properties"]
        assert isinstance(properties, dict)
        assert [key for key, value in properties.items() if not value.get("description")] == []


def definitions() -> dict[str, dict[str, object]]:
    found = schema()["$defs"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    "text",
    [
        SHIPPED.read_text(encoding="utf-8"),
        LEAST,
        LEAST + "schedule: {cron: '0 4 * * 1', timezone: Europe/Berlin, jitter: 0s}\nhistory: {keep: 007d}\n",
        LEAST + "youtube: {endpoint: 'http://127.0.0.1:80/', api_key_file: null}\n",
        *(LEAST + f"git: {{commit: true, push: true, remote: '{remote}'}}\n" for remote in REMOTES),
        LEAST + "quota: {ledger: ../quota.sqlite3}\n",
        LEAST + "quota: {ledger: /srv/host=a/the user = b/postgres.sqlite3}\n",
        LEAST + "quota: {ledger: 'postgresql://syncer@db.example.com:5432/syncer?sslmode=verify-full'}\n",
        LEAST + "quota: {ledger: 'postgres:///syncer?host=/run/postgresql'}\n",
    ],
)
def test_the_schema_accepts_what_the_config_accepts(validator: Draft202012Validator, text: str) -> None:
    assert parse_config(text, SHIPPED).collections
    assert list(validator.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "site: ..\n",
        "collections: []\n",
        "collections: [{directory: a, include: [], fields: {video_id: id, counts: {viewCount: views}}}]\n",
        "collections: [{directory: a, fields: {video_id: id, counts: {views: viewCount}}}]\n",
        "collections: [{directory: a, fields: {counts: {viewCount: views}}}]\n",
        LEAST + "git: {commit: yes please}\n",
        LEAST + "youtube: {timeout: 20}\n",
        LEAST + "youtube: {timeout: 0s}\n",
        LEAST + "youtube: {connections: 17}\n",
        LEAST + "youtube: {retry: {attempts: '3'}}\n",
        LEAST + "youtube: {endpoint: 'ftp://a/'}\n",
        LEAST + "youtube: {endpoint: 'https://a/?b'}\n",
        LEAST + "youtube: {api_key: abc}\n",
        *(LEAST + f"git: {{commit: true, push: true, remote: '{remote}'}}\n" for remote in NO_REMOTES + WITH_SECRETS),
        LEAST + "quota: {reserve: -1}\n",
        LEAST + "quota: {ledger: 'mysql://h/q'}\n",
        LEAST + "quota: {ledger: 'user=u password=p host=h'}\n",
        LEAST + "quota: {ledger: 'postgresql:u:p@h/q'}\n",
        LEAST + "quota: {ledger: 'postgresql://user:pass@h/q'}\n",
        LEAST + "history: {authorized: 1}\n",
    ],
)
def test_the_config_refuses_what_the_schema_refuses(validator: Draft202012Validator, text: str) -> None:
    assert not validator.is_valid(yaml.safe_load(text))
    with pytest.raises(ConfigError):
        parse_config(text, SHIPPED)


@pytest.mark.parametrize("remote", NO_REMOTES + WITH_SECRETS)
def test_the_remote_is_no_option_no_command_and_no_secret(remote: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"{LEAST}git: {{commit: true, push: true, remote: '{remote}'}}\n", SHIPPED)
    [said] = str(caught.value).splitlines()
    assert ("replace a password or a token" if remote in WITH_SECRETS else "must be the name of a remote") in said
    assert "token@" not in said
