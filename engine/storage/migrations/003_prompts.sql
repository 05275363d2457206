ALTER TABLE prompts ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE prompts ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
ALTER TABLE prompts ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE prompts ADD COLUMN made_by TEXT NOT NULL DEFAULT '{}';
CREATE INDEX prompts_by_parent ON prompts (parent_id);
ALTER TABLE pictures ADD COLUMN rating INTEGER;
CREATE INDEX pictures_by_prompt ON pictures (prompt_id);
