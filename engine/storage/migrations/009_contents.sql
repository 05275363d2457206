ALTER TABLE faces ADD COLUMN file_hash TEXT;
ALTER TABLE folder_photos ADD COLUMN hash TEXT;
CREATE INDEX folder_photos_by_hash ON folder_photos (hash);
CREATE INDEX decisions_of_face ON decisions (face_id);
