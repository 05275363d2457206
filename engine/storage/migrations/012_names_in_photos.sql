ALTER TABLE folder_photos ADD COLUMN names_stamp TEXT;
ALTER TABLE folder_faces ADD COLUMN named_uid TEXT REFERENCES folder_people (uid);
ALTER TABLE folder_faces ADD COLUMN drawn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE folder_faces ADD COLUMN pet INTEGER NOT NULL DEFAULT 0;
ALTER TABLE folder_faces ADD COLUMN caution TEXT;
CREATE INDEX folder_faces_named ON folder_faces (named_uid, person_uid);
ALTER TABLE folder_people ADD COLUMN named_by TEXT NOT NULL DEFAULT 'user';
UPDATE folder_people SET named_by = 'number'
WHERE substr(name, 1, 7) = 'person ' AND CAST(CAST(substr(name, 8) AS INTEGER) AS TEXT) = substr(name, 8);
