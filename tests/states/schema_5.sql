-- A state of schema 5, as the last version before schema 6 wrote it: a held reading of each kind, numbers that were undone,
-- an undo cut short (a batch done and not logged, a batch that is open), a parked bucket, reports with their old keys.
PRAGMA user_version = 5;
BEGIN TRANSACTION;
CREATE TABLE held_back (
    path TEXT NOT NULL,                    -- a place: page, field and video
    field TEXT NOT NULL,
    id TEXT NOT NULL,
    count TEXT NOT NULL,
    number INTEGER NOT NULL,               -- what was undone or dropped there
    PRIMARY KEY (path, field, id)
) WITHOUT ROWID;
INSERT INTO held_back VALUES('content/a.md','viewcount','ByE6KsGhAWs','viewCount',1);
INSERT INTO held_back VALUES('content/e.md','viewcount','VrdMN-NeXv0','viewCount',52489);
CREATE TABLE intent_batches (
    batch INTEGER PRIMARY KEY,
    sync TEXT NOT NULL,
    mappings TEXT NOT NULL,                -- JSON: the field mappings of its pages
    done_at INTEGER,                       -- when its pages were in place; null while it is open
    first_seq INTEGER NOT NULL DEFAULT 0   -- the diff log's number of its first line
, hold INTEGER NOT NULL DEFAULT 0);
INSERT INTO intent_batches VALUES(1,'20261124T200000Z-beef','[["vid_id", {"viewCount": "viewcount"}, false]]',1795550400,1000,1);
INSERT INTO intent_batches VALUES(2,'20261124T200000Z-beef','[["vid_id", {"viewCount": "viewcount"}, false]]',NULL,0,1);
CREATE TABLE intents (
    batch INTEGER NOT NULL,
    number INTEGER NOT NULL,
    mapping INTEGER NOT NULL,
    entry TEXT NOT NULL,                   -- JSON: the line of the diff log without number, sync and time
    PRIMARY KEY (batch, number)
) WITHOUT ROWID;
INSERT INTO intents VALUES(1,0,0,'{"path": "content/a.md", "video_id": "ByE6KsGhAWs", "field": "viewcount", "count": "viewCount", "old": "1", "new": "2", "as_of": "2026-11-24T20:00:00Z", "why": "undo"}');
INSERT INTO intents VALUES(2,0,0,'{"path": "content/d.md", "video_id": "DVSmehsb4dc", "field": "viewcount", "count": "viewCount", "old": "1568", "new": "2", "as_of": "2026-11-24T20:00:00Z", "why": "undo"}');
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('brake','missing 5 5');
INSERT INTO meta VALUES('failing','stats');
INSERT INTO meta VALUES('last_seq','14');
INSERT INTO meta VALUES('open_pages','{"content/d.md": 3}');
INSERT INTO meta VALUES('refused-stats','2026-11-24 40');
INSERT INTO meta VALUES('site','/srv/site');
INSERT INTO meta VALUES('site_again','/srv/site');
CREATE TABLE parked (bucket TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO parked VALUES('general',1795636800);
CREATE TABLE places (
    id TEXT NOT NULL,                      -- the video
    path TEXT NOT NULL,                    -- a page that names it, relative to the site
    PRIMARY KEY (id, path)
) WITHOUT ROWID;
INSERT INTO places VALUES('ByE6KsGhAWs','content/a.md');
INSERT INTO places VALUES('DVSmehsb4dc','content/d.md');
INSERT INTO places VALUES('N1uPopZ1AEg','content/c.md');
INSERT INTO places VALUES('VrdMN-NeXv0','content/e.md');
INSERT INTO places VALUES('uJCUsPIEBGs','content/b.md');
CREATE TABLE readings (
    sync INTEGER NOT NULL,
    video INTEGER NOT NULL,
    at INTEGER NOT NULL,
    present INTEGER NOT NULL,             -- 0: YouTube left the video out
    views INTEGER, likes INTEGER, comments INTEGER,
    PRIMARY KEY (sync, video)             -- in this order a sync touches few database pages
) WITHOUT ROWID;
INSERT INTO readings VALUES(1,1,1795377600,1,28099,158,31);
INSERT INTO readings VALUES(1,2,1795377600,1,1568,11,3);
INSERT INTO readings VALUES(1,3,1795377600,1,15927,222,59);
INSERT INTO readings VALUES(1,4,1795377600,1,52470,279,35);
INSERT INTO readings VALUES(1,5,1795377600,1,67564,381,277);
INSERT INTO readings VALUES(2,1,1795464000,1,28139,158,31);
INSERT INTO readings VALUES(2,2,1795464000,1,1568,NULL,3);
INSERT INTO readings VALUES(2,3,1795464000,1,0,0,0);
INSERT INTO readings VALUES(2,4,1795464000,1,52489,279,35);
INSERT INTO readings VALUES(2,5,1795464000,0,NULL,NULL,NULL);
INSERT INTO readings VALUES(4,4,1795550400,0,NULL,NULL,NULL);
CREATE TABLE syncs (
    sync INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    started INTEGER NOT NULL,             -- times are seconds since 1970, UTC
    whole INTEGER NOT NULL DEFAULT 0,     -- 1: it asked about the whole site, so the schedule counts from it
    report TEXT                           -- JSON, once the sync has ended
);
INSERT INTO syncs VALUES(1,'20261122T200000Z-4b51',1795377600,1,'{"sync": "20261122T200000Z-4b51", "started": "2026-11-22T20:00:00Z", "finished": "2026-11-22T20:00:00Z", "dry_run": false, "pages": 5, "videos": 5, "asked": 5, "answered": 5, "units": {"stats": 1, "general": 0}, "changed_pages": 5, "changed_counts": 10, "missing": [], "hidden": [], "doubtful": [], "left_out": {"fresh": 0, "over_quota": 0, "open": 0}, "brake": null, "problems": [], "commit": null, "exit": 0, "retries": 0, "left": 0}');
INSERT INTO syncs VALUES(2,'20261123T200000Z-f391',1795464000,1,'{"sync": "20261123T200000Z-f391", "started": "2026-11-23T20:00:00Z", "finished": "2026-11-23T20:00:00Z", "dry_run": false, "pages": 5, "videos": 5, "asked": 5, "answered": 4, "units": {"stats": 1, "general": 1}, "changed_pages": 2, "changed_counts": 2, "missing": ["uJCUsPIEBGs"], "hidden": [{"video_id": "DVSmehsb4dc", "count": "likeCount"}], "doubtful": [{"video_id": "N1uPopZ1AEg", "count": "likeCount"}, {"video_id": "N1uPopZ1AEg", "count": "viewCount"}], "left_out": {"fresh": 0, "over_quota": 0, "open": 0}, "brake": null, "problems": [], "commit": null, "exit": 0, "retries": 0, "left": 0}');
INSERT INTO syncs VALUES(3,'20261123T210000Z-e35c',1795467600,0,'{"sync": "20261123T210000Z-e35c", "started": "2026-11-23T21:00:00Z", "finished": "2026-11-23T21:00:00Z", "dry_run": false, "pages": 2, "videos": 2, "asked": 0, "answered": 0, "units": {"stats": 0, "general": 0}, "changed_pages": 2, "changed_counts": 2, "missing": [], "hidden": [], "doubtful": [], "left_out": {"fresh": 0, "over_quota": 0, "open": 0}, "brake": null, "problems": [], "commit": null, "exit": 0, "retries": 0, "left": 0}');
INSERT INTO syncs VALUES(4,'20261124T200000Z-beef',1795550400,0,NULL);
CREATE TABLE units (bucket TEXT, day TEXT, spent INTEGER NOT NULL, PRIMARY KEY (bucket, day)) WITHOUT ROWID;
INSERT INTO units VALUES('general','2026-11-23',1);
INSERT INTO units VALUES('stats','2026-11-22',1);
INSERT INTO units VALUES('stats','2026-11-23',1);
CREATE TABLE videos (
    video INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    read_at INTEGER NOT NULL,             -- the newest reading, whatever it said
    accepted INTEGER,                     -- the sync whose reading is compared with the pages
    missing_since INTEGER                 -- the first reading in a row that left the video out
, latest INTEGER, judged INTEGER, held TEXT, misses INTEGER NOT NULL DEFAULT 0, missed_at INTEGER);
INSERT INTO videos VALUES(1,'ByE6KsGhAWs',1795464000,2,NULL,2,2,NULL,0,NULL);
INSERT INTO videos VALUES(2,'DVSmehsb4dc',1795464000,2,NULL,2,2,NULL,0,NULL);
INSERT INTO videos VALUES(3,'N1uPopZ1AEg',1795464000,1,NULL,2,2,'likeCount,viewCount',0,NULL);
INSERT INTO videos VALUES(4,'VrdMN-NeXv0',1795550400,2,NULL,4,4,'brake',0,NULL);
INSERT INTO videos VALUES(5,'uJCUsPIEBGs',1795464000,1,1795464000,2,2,NULL,1,1795464000);
COMMIT;
