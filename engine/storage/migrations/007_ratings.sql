ALTER TABLE pictures ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pictures ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pictures ADD COLUMN likeness REAL;
ALTER TABLE pictures ADD COLUMN outside INTEGER NOT NULL DEFAULT 0;
ALTER TABLE pictures ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
CREATE TABLE verdict_actions (
    id INTEGER PRIMARY KEY,
    t REAL NOT NULL,
    label TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone', 'dropped'))
);
CREATE TABLE verdict_changes (
    id INTEGER PRIMARY KEY,
    action_id INTEGER NOT NULL REFERENCES verdict_actions (id),
    picture_id INTEGER NOT NULL REFERENCES pictures (id),
    field TEXT NOT NULL,
    before INTEGER NOT NULL,
    after INTEGER NOT NULL
);
CREATE INDEX verdict_changes_by_action ON verdict_changes (action_id);
