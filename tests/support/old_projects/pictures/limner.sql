BEGIN TRANSACTION;
CREATE TABLE actions (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        label TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone', 'dropped'))
    );
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
CREATE TABLE decisions (
        id INTEGER PRIMARY KEY,
        action_id INTEGER NOT NULL REFERENCES actions (id),
        face_id INTEGER NOT NULL REFERENCES faces (id),
        before TEXT NOT NULL,
        after TEXT NOT NULL
    , field TEXT NOT NULL DEFAULT 'decision');
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
    , cut TEXT);
CREATE TABLE filters (
        name TEXT PRIMARY KEY,
        line TEXT NOT NULL
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
CREATE TABLE folder_people (
        uid TEXT PRIMARY KEY,
        folder TEXT NOT NULL,
        name TEXT NOT NULL,
        merged_into TEXT REFERENCES folder_people (uid)
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
CREATE TABLE grid_cells (
        grid_id INTEGER NOT NULL REFERENCES grids (id) ON DELETE CASCADE,
        x INTEGER NOT NULL, y INTEGER NOT NULL, z INTEGER NOT NULL,
        key TEXT NOT NULL,
        PRIMARY KEY (grid_id, z, y, x)
    );
INSERT INTO "grid_cells" VALUES(1,0,0,0,'d6e18be26c7cf1571dacf333');
INSERT INTO "grid_cells" VALUES(1,1,0,0,'d5200d308e750050a7f26006');
CREATE TABLE grids (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        name TEXT NOT NULL UNIQUE,
        run TEXT,
        plan TEXT NOT NULL
    );
INSERT INTO "grids" VALUES(1,1.79602821280560088156e+09,'faces','20261121-1403-jx265','{"run": "20261121-1403-jx265", "common": {"prompt": "a portrait of jx265", "path": "{HERE}/project/pictures/2026-11-21/1.png", "seed": 1, "steps": 3, "guidance": 3.0, "sampler": "DPM++ 2M", "schedule": "Automatic", "negative": "", "lora": "{HERE}/project/runs/20261121-1403-jx265/checkpoints/jx265.safetensors", "strength": 0.8, "others": [], "width": null, "height": null, "prompt_id": null, "base": "demo", "source": null, "denoise": 0.5, "hires": null, "priority": 0, "face_fix": null}, "x": {"kind": "seed", "values": ["1", "2"]}, "y": null, "pages": []}');
CREATE TABLE identities (
        marker_uid TEXT PRIMARY KEY,
        stamp TEXT NOT NULL,
        space TEXT NOT NULL,
        embedding BLOB
    );
CREATE TABLE kin (
        marker_uid TEXT PRIMARY KEY,
        burst INTEGER,
        burst_size INTEGER NOT NULL DEFAULT 1,
        burst_best INTEGER NOT NULL DEFAULT 1,
        copy_of INTEGER,
        distance REAL,
        wrong INTEGER
    , kin_space TEXT, mirrored INTEGER NOT NULL DEFAULT 0);
CREATE TABLE measures (
        marker_uid TEXT PRIMARY KEY,
        stamp TEXT NOT NULL,
        sharp REAL, light REAL, contrast REAL, clipped REAL, crushed REAL,
        photo_hash TEXT, face_hash TEXT,
        yaw REAL
    , mirrored_hash TEXT, others TEXT);
CREATE TABLE photo_words (
        photo_uid TEXT PRIMARY KEY,
        labels TEXT NOT NULL DEFAULT '[]',
        place TEXT NOT NULL DEFAULT ''
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
    , rating INTEGER, details TEXT, key TEXT, place INTEGER, claim TEXT, staged TEXT, tries INTEGER NOT NULL DEFAULT 0, favourite INTEGER NOT NULL DEFAULT 0, rejected INTEGER NOT NULL DEFAULT 0, likeness REAL, outside INTEGER NOT NULL DEFAULT 0, gone INTEGER NOT NULL DEFAULT 0);
INSERT INTO "pictures" VALUES(1,1.7960282126360366345e+09,'done',0,'a portrait of jx265','','{HERE}/project/runs/20261121-1403-jx265/checkpoints/jx265.safetensors',0.8,1,3,3.0,'DPM++ 2M',NULL,NULL,'{HERE}/project/pictures/2026-11-21/1.png',NULL,1.5,NULL,5,'{"prompt": "a portrait of jx265", "path": "{HERE}/project/pictures/2026-11-21/1.png", "seed": 1, "steps": 3, "guidance": 3.0, "sampler": "DPM++ 2M", "schedule": "Automatic", "negative": "", "lora": "{HERE}/project/runs/20261121-1403-jx265/checkpoints/jx265.safetensors", "strength": 0.8, "others": [], "width": null, "height": null, "prompt_id": null, "base": "demo", "source": null, "denoise": 0.5, "hires": null, "priority": 0, "face_fix": null}','d6e18be26c7cf1571dacf333',1,'c',NULL,1,0,0,NULL,0,0);
INSERT INTO "pictures" VALUES(2,1.7960282126364421844e+09,'done',0,'a portrait of jx265','','{HERE}/project/runs/20261121-1403-jx265/checkpoints/jx265.safetensors',0.8,2,3,3.0,'DPM++ 2M',NULL,NULL,'{HERE}/project/pictures/2026-11-21/2.png',NULL,1.5,NULL,2,'{"prompt": "a portrait of jx265", "path": "{HERE}/project/pictures/2026-11-21/2.png", "seed": 2, "steps": 3, "guidance": 3.0, "sampler": "DPM++ 2M", "schedule": "Automatic", "negative": "", "lora": "{HERE}/project/runs/20261121-1403-jx265/checkpoints/jx265.safetensors", "strength": 0.8, "others": [], "width": null, "height": null, "prompt_id": null, "base": "demo", "source": null, "denoise": 0.5, "hires": null, "priority": 0, "face_fix": null}','d5200d308e750050a7f26006',2,'c',NULL,1,0,0,NULL,0,0);
INSERT INTO "pictures" VALUES(3,1.79602821263654828078e+09,'done',0,'a portrait of jx265','','{HERE}/other.safetensors',0.8,3,3,3.0,'DPM++ 2M',NULL,NULL,'{HERE}/project/pictures/2026-11-21/3.png',NULL,1.5,NULL,NULL,'{"prompt": "a portrait of jx265", "path": "{HERE}/project/pictures/2026-11-21/3.png", "seed": 3, "steps": 3, "guidance": 3.0, "sampler": "DPM++ 2M", "schedule": "Automatic", "negative": "", "lora": "{HERE}/other.safetensors", "strength": 0.8, "others": [], "width": null, "height": null, "prompt_id": null, "base": "demo", "source": null, "denoise": 0.5, "hires": null, "priority": 0, "face_fix": null}','f1eb3c46acf5de0b93c32bdc',3,'c',NULL,1,0,0,NULL,0,0);
INSERT INTO "pictures" VALUES(4,1796028212.64089,'done',0,'a portrait of jx265','',NULL,NULL,4,3,3.0,'DPM++ 2M',NULL,NULL,'{HERE}/project/pictures/2026-11-21/4.png',NULL,1.0,NULL,NULL,'{"prompt": "a portrait of jx265", "path": "{HERE}/project/pictures/2026-11-21/4.png", "seed": 4, "steps": 3, "guidance": 3.0, "sampler": "DPM++ 2M", "schedule": "Automatic", "negative": "", "lora": null, "strength": null, "others": [], "width": null, "height": null, "prompt_id": null, "base": "demo", "source": null, "denoise": 0.5, "hires": null, "priority": 0, "face_fix": null}','b27d7bd53819aac3abfc7eb9',4,'c',NULL,1,0,0,NULL,0,0);
INSERT INTO "pictures" VALUES(5,1.79602821267290353778e+09,'done',0,'','',NULL,NULL,-1,0,0.0,'Euler a',8,8,'{HERE}/project/pictures/from-elsewhere.png',NULL,NULL,NULL,NULL,'{"schedule": "Automatic"}',NULL,5,NULL,NULL,0,0,0,NULL,1,0);
CREATE TABLE prompts (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        text TEXT NOT NULL,
        negative TEXT NOT NULL DEFAULT '',
        parent_id INTEGER REFERENCES prompts (id),
        rating INTEGER NOT NULL DEFAULT 0, name TEXT NOT NULL DEFAULT '', tags TEXT NOT NULL DEFAULT '[]', mark TEXT NOT NULL DEFAULT '', made_by TEXT NOT NULL DEFAULT '{}',
        UNIQUE (text, negative)
    );
CREATE TABLE seen (
        marker_uid TEXT PRIMARY KEY,
        neighbours TEXT NOT NULL,
        space TEXT,
        embedding BLOB
    );
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
CREATE TABLE votes (
        picture_id INTEGER PRIMARY KEY REFERENCES pictures (id) ON DELETE CASCADE,
        t REAL NOT NULL,
        vote INTEGER NOT NULL CHECK (vote IN (-1, 1))
    );
CREATE INDEX faces_of_person ON faces (person_uid, gone);
CREATE INDEX prompts_by_parent ON prompts (parent_id);
CREATE INDEX pictures_by_prompt ON pictures (prompt_id);
CREATE INDEX caption_changes_by_action ON caption_changes (action_id);
CREATE INDEX caption_changes_waiting ON caption_changes (written) WHERE written = 0;
CREATE INDEX pictures_in_order ON pictures (state, priority DESC, place, id);
CREATE INDEX pictures_by_key ON pictures (key);
CREATE INDEX folder_faces_of_photo ON folder_faces (photo_id);
CREATE INDEX folder_faces_of_person ON folder_faces (person_uid);
CREATE INDEX verdict_changes_by_action ON verdict_changes (action_id);
CREATE INDEX grid_cells_by_key ON grid_cells (key);
COMMIT;
PRAGMA user_version=8;
