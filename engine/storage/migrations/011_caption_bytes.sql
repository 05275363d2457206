ALTER TABLE caption_changes ADD COLUMN was BLOB;
ALTER TABLE caption_changes ADD COLUMN becomes BLOB;
ALTER TABLE caption_changes ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
