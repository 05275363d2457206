CREATE TABLE seen (
    marker_uid TEXT PRIMARY KEY,
    neighbours TEXT NOT NULL,
    space TEXT,
    embedding BLOB
);
CREATE TABLE measures (
    marker_uid TEXT PRIMARY KEY,
    stamp TEXT NOT NULL,
    sharp REAL, light REAL, contrast REAL, clipped REAL, crushed REAL,
    photo_hash TEXT, face_hash TEXT,
    yaw REAL
);
CREATE TABLE kin (
    marker_uid TEXT PRIMARY KEY,
    burst INTEGER,
    burst_size INTEGER NOT NULL DEFAULT 1,
    burst_best INTEGER NOT NULL DEFAULT 1,
    copy_of INTEGER,
    distance REAL,
    wrong INTEGER
);
CREATE TABLE filters (
    name TEXT PRIMARY KEY,
    line TEXT NOT NULL
);
ALTER TABLE faces ADD COLUMN cut TEXT;
ALTER TABLE decisions ADD COLUMN field TEXT NOT NULL DEFAULT 'decision';
