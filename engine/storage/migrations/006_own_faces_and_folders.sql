ALTER TABLE measures ADD COLUMN mirrored_hash TEXT;
ALTER TABLE measures ADD COLUMN others TEXT;
ALTER TABLE kin ADD COLUMN kin_space TEXT;
ALTER TABLE kin ADD COLUMN mirrored INTEGER NOT NULL DEFAULT 0;
CREATE TABLE identities (
    marker_uid TEXT PRIMARY KEY,
    stamp TEXT NOT NULL,
    space TEXT NOT NULL,
    embedding BLOB
);
CREATE TABLE folder_photos (
    id INTEGER PRIMARY KEY,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    stamp TEXT NOT NULL,
    width INTEGER, height INTEGER,
    taken_at TEXT,
    problem TEXT,
    gone INTEGER NOT NULL DEFAULT 0,
    UNIQUE (folder, name)
);
CREATE TABLE folder_people (
    uid TEXT PRIMARY KEY,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    merged_into TEXT REFERENCES folder_people (uid)
);
CREATE TABLE folder_faces (
    uid TEXT PRIMARY KEY,
    photo_id INTEGER NOT NULL REFERENCES folder_photos (id),
    x REAL NOT NULL, y REAL NOT NULL, w REAL NOT NULL, h REAL NOT NULL,
    score REAL NOT NULL,
    space TEXT,
    embedding BLOB,
    person_uid TEXT REFERENCES folder_people (uid)
);
CREATE INDEX folder_faces_of_photo ON folder_faces (photo_id);
CREATE INDEX folder_faces_of_person ON folder_faces (person_uid);
