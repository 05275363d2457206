CREATE TABLE caption_actions (
    id INTEGER PRIMARY KEY,
    t REAL NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone', 'dropped'))
);
CREATE TABLE caption_changes (
    id INTEGER PRIMARY KEY,
    action_id INTEGER NOT NULL REFERENCES caption_actions (id),
    image TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    written INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX caption_changes_by_action ON caption_changes (action_id);
CREATE INDEX caption_changes_waiting ON caption_changes (written) WHERE written = 0;
CREATE TABLE photo_words (
    photo_uid TEXT PRIMARY KEY,
    labels TEXT NOT NULL DEFAULT '[]',
    place TEXT NOT NULL DEFAULT ''
);
