"""The tables of the state: each version's change to them, and what a dry run copies."""

from __future__ import annotations

SCHEMA_1 = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE syncs (
    sync INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    started INTEGER NOT NULL,             -- times are seconds since 1970, UTC
    whole INTEGER NOT NULL DEFAULT 0,     -- 1: it asked about the whole site, so the schedule counts from it
    report TEXT                           -- JSON, once the sync has ended
);
CREATE TABLE videos (
    video INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    read_at INTEGER NOT NULL,             -- the newest reading, whatever it said
    accepted INTEGER,                     -- the sync whose reading is compared with the pages
    missing_since INTEGER                 -- the first reading in a row that left the video out
);
CREATE TABLE readings (
    sync INTEGER NOT NULL,
    video INTEGER NOT NULL,
    at INTEGER NOT NULL,
    present INTEGER NOT NULL,             -- 0: YouTube left the video out
    views INTEGER, likes INTEGER, comments INTEGER,
    PRIMARY KEY (sync, video)             -- in this order a sync touches few database pages
) WITHOUT ROWID;
CREATE TABLE units (bucket TEXT, day TEXT, spent INTEGER NOT NULL, PRIMARY KEY (bucket, day)) WITHOUT ROWID;
CREATE TABLE parked (bucket TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
"""

SCHEMA_2 = """
ALTER TABLE videos ADD COLUMN latest INTEGER;   -- the sync of the newest reading
ALTER TABLE videos ADD COLUMN judged INTEGER;   -- the sync of the newest reading that was accepted or held
ALTER TABLE videos ADD COLUMN held TEXT;        -- why that one is held: `brake`, or the unconfirmed counts
ALTER TABLE videos ADD COLUMN misses INTEGER NOT NULL DEFAULT 0;  -- readings a day apart that left it out
ALTER TABLE videos ADD COLUMN missed_at INTEGER;                  -- the newest of these
UPDATE videos SET latest = (SELECT max(sync) FROM readings WHERE readings.video = videos.video);
UPDATE videos SET judged = latest, misses = missing_since IS NOT NULL, missed_at = missing_since;
"""

SCHEMA_3 = """
CREATE TABLE intent_batches (
    batch INTEGER PRIMARY KEY,
    sync TEXT NOT NULL,
    mappings TEXT NOT NULL,                -- JSON: the field mappings of its pages
    done_at INTEGER,                       -- when its pages were in place; null while it is open
    first_seq INTEGER NOT NULL DEFAULT 0   -- the diff log's number of its first line
);
CREATE TABLE intents (
    batch INTEGER NOT NULL,
    number INTEGER NOT NULL,
    mapping INTEGER NOT NULL,
    entry TEXT NOT NULL,                   -- JSON: the line of the diff log without number, sync and time
    PRIMARY KEY (batch, number)
) WITHOUT ROWID;
"""

SCHEMA_4 = """
CREATE TABLE places (
    id TEXT NOT NULL,                      -- the video
    path TEXT NOT NULL,                    -- a page that names it, relative to the site
    PRIMARY KEY (id, path)
) WITHOUT ROWID;
"""

SCHEMA_5 = """
CREATE TABLE held_back (
    path TEXT NOT NULL,                    -- a place: page, field and video
    field TEXT NOT NULL,
    id TEXT NOT NULL,
    count TEXT NOT NULL,
    number INTEGER NOT NULL,               -- what was undone or dropped there
    PRIMARY KEY (path, field, id)
) WITHOUT ROWID;
ALTER TABLE intent_batches ADD COLUMN hold INTEGER NOT NULL DEFAULT 0;  -- 1: what it replaces is held back from then on
"""

SCHEMA_6 = """
ALTER TABLE held_back RENAME TO suppressed;
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY,
    sync TEXT NOT NULL,
    mappings TEXT NOT NULL,                -- JSON: the field mappings of its pages
    done_at INTEGER,                       -- when its pages were in place; null while it is open
    first_seq INTEGER NOT NULL DEFAULT 0   -- the diff log's number of its first line
);
INSERT INTO batches SELECT batch, sync, mappings, done_at, first_seq FROM intent_batches;  -- without `hold`
DROP TABLE intent_batches;
ALTER TABLE batches RENAME TO intent_batches;
UPDATE syncs SET report = replace(report, '"doubtful": [', '"unconfirmed": [');  -- in JSON, only a key looks like that
"""

SCHEMA_7 = """
ALTER TABLE intents RENAME COLUMN entry TO entries;  -- one a line, of one mapping: before, a row had one
CREATE INDEX pending ON videos (video) WHERE judged IS NOT latest;  -- of a million videos, a window reads 5,000
"""

SCHEMA_8 = """
ALTER TABLE videos ADD COLUMN drift REAL;        -- by which share of themselves the counts change in a day
ALTER TABLE videos ADD COLUMN observed INTEGER;  -- the seconds over which that was observed
ALTER TABLE videos ADD COLUMN previous INTEGER;  -- the sync of the reading before the newest
ALTER TABLE videos ADD COLUMN same_since INTEGER;  -- the sync of the first reading that equals it and all in between
CREATE TABLE written (                     -- only where `write.at_least_every` is set
    path TEXT NOT NULL,                    -- a place: page, field and video
    field TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,                   -- when it was last written
    PRIMARY KEY (path, field, id)
) WITHOUT ROWID;
CREATE TABLE unbuilt (path TEXT PRIMARY KEY) WITHOUT ROWID;  -- the pages that changed since the build hook was called
CREATE TABLE builds (
    call INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,                   -- noted before the call is made
    status INTEGER                         -- the HTTP status; 0: no response; null: the process ended before it
);
"""

SCHEMA_9 = """
CREATE TABLE mappings (
    mapping TEXT PRIMARY KEY,              -- JSON: a collection, or the data file, that syncer has written with
    used INTEGER NOT NULL                  -- when the last sync with it began
) WITHOUT ROWID;
"""

SCHEMA_10 = """
CREATE TABLE availability (
    id TEXT PRIMARY KEY,                   -- the video
    checked_at INTEGER NOT NULL,           -- when YouTube was last asked whether it plays
    due_at INTEGER NOT NULL,               -- when to ask again
    state TEXT,                            -- null: what YouTube returned does not say
    since INTEGER,                         -- since when it is in this state
    facts TEXT NOT NULL,                   -- JSON: what else was said
    reported TEXT                          -- the state that was last reported
) WITHOUT ROWID;
"""

SCHEMA_11 = """
ALTER TABLE suppressed RENAME TO numbered;
ALTER TABLE written RENAME TO numbered_writes;
CREATE TABLE suppressed (
    path TEXT NOT NULL,                    -- a place: page, field without the numbers of list items, and video
    field TEXT NOT NULL,
    id TEXT NOT NULL,
    number INTEGER NOT NULL,               -- what was undone or dropped there
    count TEXT NOT NULL,                   -- last: SQLite 3.40 calls a table damaged whose key has gaps
    PRIMARY KEY (path, field, id, number)
) WITHOUT ROWID;
CREATE TABLE written (                     -- only where `write.at_least_every` is set
    path TEXT NOT NULL,                    -- a place, as above
    field TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,                   -- when it was last written
    PRIMARY KEY (path, field, id)
) WITHOUT ROWID;
CREATE TEMP TABLE without_numbers AS
WITH RECURSIVE parts(field, done, rest) AS (
    SELECT field, '', field FROM (SELECT field FROM numbered UNION SELECT field FROM numbered_writes)
    UNION ALL
    SELECT field, done || substr(rest, 1, instr(rest, '[')),
        CASE WHEN ltrim(substr(rest, instr(rest, '[') + 1), '0123456789') LIKE '].%'
        THEN ltrim(substr(rest, instr(rest, '[') + 1), '0123456789') ELSE substr(rest, instr(rest, '[') + 1) END
    FROM parts WHERE instr(rest, '[')
)
SELECT field, done || rest AS place FROM parts WHERE NOT instr(rest, '[');
INSERT OR IGNORE INTO suppressed
    SELECT path, place, id, number, count FROM numbered JOIN without_numbers USING (field);
INSERT INTO written
    SELECT path, place, id, max(at) FROM numbered_writes JOIN without_numbers USING (field) GROUP BY path, place, id;
DROP TABLE numbered;
DROP TABLE numbered_writes;
DROP TABLE without_numbers;
"""

SCHEMA_12 = """
CREATE TABLE embeds (                      -- only where `bodies` is set: the videos in the text of pages
    id TEXT NOT NULL,                      -- the video
    path TEXT NOT NULL,                    -- a page that embeds it, relative to the site
    line INTEGER NOT NULL,                 -- where in the file, from 1
    PRIMARY KEY (id, path, line)
) WITHOUT ROWID;
ALTER TABLE availability ADD COLUMN missed_since INTEGER;   -- the first check in a row that left it out
ALTER TABLE availability ADD COLUMN unsure_since INTEGER;  -- the first of these whose answer had no video at all
"""

MIGRATIONS: tuple[str, ...] = (
    SCHEMA_1,
    SCHEMA_2,
    SCHEMA_3,
    SCHEMA_4,
    SCHEMA_5,
    SCHEMA_6,
    SCHEMA_7,
    SCHEMA_8,
    SCHEMA_9,
    SCHEMA_10,
    SCHEMA_11,
    SCHEMA_12,
)
"""Forward only: migration N updates `user_version` N-1 to N, in one transaction."""

COPIED = (
    "INSERT INTO meta SELECT * FROM disk.meta",
    "INSERT INTO syncs SELECT sync, id, started, whole, NULL FROM disk.syncs",
    "INSERT INTO videos SELECT * FROM disk.videos",
    """INSERT INTO readings SELECT r.* FROM disk.videos v JOIN disk.readings r USING (video)
    WHERE r.sync IN (v.accepted, v.latest)""",
    "INSERT INTO units SELECT * FROM disk.units",
    "INSERT INTO parked SELECT * FROM disk.parked",
    "INSERT INTO intent_batches SELECT * FROM disk.intent_batches",
    "INSERT INTO intents SELECT * FROM disk.intents",
    "INSERT INTO suppressed SELECT * FROM disk.suppressed",
    "INSERT INTO written SELECT * FROM disk.written",
    "INSERT INTO availability SELECT * FROM disk.availability",
)
"""The part of the state that a dry run and `check` need: not what only the history, builds and commits are about."""
