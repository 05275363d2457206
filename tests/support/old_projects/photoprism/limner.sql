BEGIN TRANSACTION;
CREATE TABLE actions (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        label TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone', 'dropped'))
    );
INSERT INTO "actions" VALUES(1,1.79602508279443216321e+09,'keep 4 faces','done');
INSERT INTO "actions" VALUES(2,1.79602508279605746271e+09,'reject 5','done');
INSERT INTO "actions" VALUES(3,1.79602508279678583147e+09,'crop 2','done');
INSERT INTO "actions" VALUES(4,1.79602508337038969995e+09,'clear 4','done');
CREATE TABLE caption_actions (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        label TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'done' CHECK (state IN ('done', 'undone', 'dropped'))
    );
INSERT INTO "caption_actions" VALUES(1,1.79602508336072444914e+09,'set','done');
INSERT INTO "caption_actions" VALUES(2,1.79602508336702704431e+09,'set again','done');
CREATE TABLE caption_changes (
        id INTEGER PRIMARY KEY,
        action_id INTEGER NOT NULL REFERENCES caption_actions (id),
        image TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        written INTEGER NOT NULL DEFAULT 0
    );
INSERT INTO "caption_changes" VALUES(1,1,'0001.png','jx265, man, half body','jx265, man, by hand',1);
INSERT INTO "caption_changes" VALUES(2,1,'0004.png','jx265, man, half body','jx265, man, set aside',1);
INSERT INTO "caption_changes" VALUES(3,2,'0001.png','jx265, man, by hand','jx265, man, by my hand',1);
CREATE TABLE decisions (
        id INTEGER PRIMARY KEY,
        action_id INTEGER NOT NULL REFERENCES actions (id),
        face_id INTEGER NOT NULL REFERENCES faces (id),
        before TEXT NOT NULL,
        after TEXT NOT NULL
    , field TEXT NOT NULL DEFAULT 'decision');
INSERT INTO "decisions" VALUES(1,1,1,'undecided','keep','decision');
INSERT INTO "decisions" VALUES(2,1,2,'undecided','keep','decision');
INSERT INTO "decisions" VALUES(3,1,3,'undecided','keep','decision');
INSERT INTO "decisions" VALUES(4,1,4,'undecided','keep','decision');
INSERT INTO "decisions" VALUES(5,2,5,'undecided','reject','decision');
INSERT INTO "decisions" VALUES(6,3,2,'','half 0.05 0 1.2','cut');
INSERT INTO "decisions" VALUES(7,4,4,'keep','undecided','decision');
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
INSERT INTO "faces" VALUES(1,'ms000003','js000001','James','ps000002','fs000002','/','2019/IMG_0.jpg','{HERE}/library/originals/2019/IMG_0.jpg',0.35546875,0.123046875,0.16796875,0.216796875,400,512,111,'2019-06-01 15:58:24',1,NULL,NULL,0,'keep',NULL);
INSERT INTO "faces" VALUES(2,'ms000005','js000001','James','ps000004','fs000004','/','2019/IMG_1.jpg','{HERE}/library/originals/2019/IMG_1.jpg',0.35546875,0.123046875,0.16796875,0.216796875,416,512,111,'2019-06-02 15:58:24',1,NULL,NULL,0,'keep','half 0.05 0 1.2');
INSERT INTO "faces" VALUES(3,'ms000007','js000001','James','ps000006','fs000006','/','2019/IMG_2.jpg','{HERE}/library/originals/2019/IMG_2.jpg',0.35546875,0.123046875,0.16796875,0.216796875,432,512,111,'2019-06-03 15:58:24',1,NULL,NULL,0,'keep',NULL);
INSERT INTO "faces" VALUES(4,'ms000009','js000001','James','ps000008','fs000008','/','2019/IMG_3.jpg','{HERE}/library/originals/2019/IMG_3.jpg',0.35546875,0.123046875,0.16796875,0.216796875,448,512,111,'2019-06-04 15:58:24',1,NULL,NULL,0,'undecided',NULL);
INSERT INTO "faces" VALUES(5,'ms000011','js000001','James','ps000010','fs000010','/','2019/IMG_4.jpg','{HERE}/library/originals/2019/IMG_4.jpg',0.35546875,0.123046875,0.16796875,0.216796875,464,512,111,'2019-06-05 15:58:24',1,NULL,NULL,0,'reject',NULL);
INSERT INTO "faces" VALUES(6,'ms000013','js000001','James','ps000012','fs000012','/','2019/IMG_5.jpg','{HERE}/library/originals/2019/IMG_5.jpg',0.35546875,0.123046875,0.16796875,0.216796875,480,512,111,'2019-06-06 15:58:24',1,NULL,NULL,0,'undecided',NULL);
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
CREATE TABLE grids (
        id INTEGER PRIMARY KEY,
        t REAL NOT NULL,
        name TEXT NOT NULL UNIQUE,
        run TEXT,
        plan TEXT NOT NULL
    );
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
INSERT INTO "seen" VALUES('ms000003','[]',NULL,NULL);
INSERT INTO "seen" VALUES('ms000005','[]',NULL,NULL);
INSERT INTO "seen" VALUES('ms000007','[]',NULL,NULL);
INSERT INTO "seen" VALUES('ms000009','[]',NULL,NULL);
INSERT INTO "seen" VALUES('ms000011','[]',NULL,NULL);
INSERT INTO "seen" VALUES('ms000013','[]',NULL,NULL);
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
