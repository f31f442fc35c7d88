"""No key survives in text, in whatever part of a log record it stands."""

import io
import json
import logging
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.redact import HOOK_MASK, MASK, Redactor, redact

KEY = "a-key/of+its=own"
GOOGLE_KEY = "AIza" + "Sy" + "0123456789abcdefghijklmnopqrstu_-"
NEW_KEY = "AQ." + "Ab8" + "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG_-HI"


def knowing_key() -> Redactor:
    redactor = Redactor()
    redactor.learn(KEY)
    return redactor


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(uri)s", defaults={"uri": ""}))
    handler.addFilter(knowing_key())
    logger = logging.getLogger("tests.redact")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"GET /?key={KEY}&alt=json", f"GET /?key={MASK}&alt=json"),
        ("key=a-key%2Fof%2Bits%3Down", f"key={MASK}"),
        ("key=a-key/of%2bits=own", f"key={MASK}"),
        ("%61%2D%6B%65%79%2F%6F%66%2B%69%74%73%3D%6F%77%6E", MASK),
        (f"Consumer 'api_key:{GOOGLE_KEY}' has been suspended", f"Consumer 'api_key:{MASK}' has been suspended"),
        (f"GET /?key={NEW_KEY}&alt=json", f"GET /?key={MASK}&alt=json"),
        (f"u%3Fkey%3D{NEW_KEY.replace('.', '%2e')}%26", f"u%3Fkey%3D{MASK}%26"),
        ("nothing of the sort", "nothing of the sort"),
        (f"FA{NEW_KEY}.html", f"FA{NEW_KEY}.html"),
        ("AQ.of-other-things", "AQ.of-other-things"),
    ],
)
def test_the_key_and_the_form_of_googles_keys_are_taken_out(text: str, clean: str) -> None:
    assert redact(text, KEY) == clean


def test_without_a_key_the_form_alone_is_looked_for() -> None:
    assert redact(f"{GOOGLE_KEY} {KEY}") == f"{MASK} {KEY}"
    assert redact(GOOGLE_KEY[:-1]) == GOOGLE_KEY[:-1]


@given(st.text(), st.text(), st.text("abcXYZ019-_", min_size=8))
def test_no_text_around_it_saves_the_key(before: str, after: str, key: str) -> None:
    assert key not in redact(before + key + after, key).replace(MASK, "\0")


@given(st.binary(), st.binary(), st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=8))
def test_no_base64_around_it_saves_the_key(before: bytes, after: bytes, key: str) -> None:
    for encode in (b64encode, urlsafe_b64encode):
        text = encode(before + key.encode() + after).decode()
        for part in re.split(re.escape(MASK), redact(text, key)):
            whole = part.rstrip("=")
            for start in range(4):  # wherever the parts of four letters begin in what is left
                letters = whole[start:].replace("-", "+").replace("_", "/")
                assert key.encode() not in b64decode(letters[: len(letters) // 4 * 4])
        assert MASK in redact(text, key)


def test_message_arguments_and_extra_fields_are_cleaned(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.error("asked %s for %d", f"http://x/?key={KEY}", 3, extra={"uri": {"key": KEY}, "tries": 2})
    assert stream.getvalue() == f"asked http://x/?key={MASK} for 3 {{'key': '{MASK}'}}\n"


def test_tracebacks_and_stacks_are_cleaned(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    try:
        {GOOGLE_KEY: 1}[KEY]
    except KeyError:
        logger.exception("broken", stack_info=True)
    written = stream.getvalue()
    assert f"KeyError: '{MASK}'" in written
    assert "Stack (most recent call last)" in written
    assert KEY not in written


def test_each_of_several_secrets_is_removed_whole_although_one_begins_like_another() -> None:
    hooks = ("https://host/build/first", "https://host/build/first-and-second")
    for order in (1, -1):
        redactor = Redactor()
        for key, hook in ((KEY, hooks[0]), (f"{KEY}-and-longer", hooks[1]))[::order]:
            redactor.learn(key, hook)
        record = logging.makeLogRecord({"msg": f"{KEY}-and-longer {KEY}", "uri": " ".join(hooks), "exc_text": hooks[1]})
        redactor.filter(record)
        shown = record.__dict__
        assert (shown["msg"], shown["uri"]) == (f"{MASK} {MASK}", f"{HOOK_MASK} {HOOK_MASK}")
        assert shown["exc_text"] == HOOK_MASK


def test_other_fields_stay_what_they_were() -> None:
    record = logging.makeLogRecord({"msg": "fine", "tries": 2, "hosts": ["a"]})
    assert knowing_key().filter(record)
    assert json.dumps([record.__dict__["tries"], record.__dict__["hosts"]]) == '[2, ["a"]]'
