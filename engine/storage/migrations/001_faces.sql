CREATE TABLE faces (
    id INTEGER PRIMARY KEY,
    marker_uid TEXT NOT NULL UNIQUE,
    person_uid TEXT NOT NULL,
    person TEXT NOT NULL,
    photo_uid TEXT NOT NULL,
    file_uid TEXT NOT NULL,
    file_root TEXT NOT NULL,
    file_name TEXT NOT NULL,
    path TEXT,
    x REAL NOT NULL, y REAL NOT NULL, w REAL NOT NULL, h REAL NOT NULL,
    image_width INTEGER, image_height INTEGER,
    face_px INTEGER,
    taken_at TEXT,
    confirmed INTEGER NOT NULL,
    problem TEXT,
    warning TEXT,
    gone INTEGER NOT NULL DEFAULT 0,
    decision TEXT NOT NULL DEFAULT 'undecided'
);
CREATE INDEX faces_of_person ON faces (person_uid, gone);
CREATE TABLE actions (
    id INTEGER PRIMARY KEY,
    t REAL NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone', 'dropped'))
);
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    action_id INTEGER NOT NULL REFERENCES actions (id),
    face_id INTEGER NOT NULL REFERENCES faces (id),
    before TEXT NOT NULL,
    after TEXT NOT NULL
);
CREATE TABLE prompts (
    id INTEGER PRIMARY KEY,
    t REAL NOT NULL,
    text TEXT NOT NULL,
    negative TEXT NOT NULL DEFAULT '',
    parent_id INTEGER REFERENCES prompts (id),
    rating INTEGER NOT NULL DEFAULT 0,
    UNIQUE (text, negative)
);
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY,
    t REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'painting', 'done', 'failed', 'cancelled')),
    priority INTEGER NOT NULL DEFAULT 0,
    prompt TEXT NOT NULL,
    negative TEXT NOT NULL DEFAULT '',
    lora TEXT,
    strength REAL,
    seed INTEGER NOT NULL,
    steps INTEGER NOT NULL,
    guidance REAL NOT NULL,
    sampler TEXT NOT NULL,
    width INTEGER,
    height INTEGER,
    path TEXT NOT NULL,
    prompt_id INTEGER REFERENCES prompts (id),
    seconds REAL,
    reason TEXT
);
CREATE INDEX pictures_waiting ON pictures (state, priority DESC, id);
