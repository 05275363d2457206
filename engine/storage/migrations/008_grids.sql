CREATE TABLE grids (
    id INTEGER PRIMARY KEY,
    t REAL NOT NULL,
    name TEXT NOT NULL UNIQUE,
    run TEXT,
    plan TEXT NOT NULL
);
CREATE TABLE grid_cells (
    grid_id INTEGER NOT NULL REFERENCES grids (id) ON DELETE CASCADE,
    x INTEGER NOT NULL, y INTEGER NOT NULL, z INTEGER NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (grid_id, z, y, x)
);
CREATE INDEX grid_cells_by_key ON grid_cells (key);
CREATE TABLE votes (
    picture_id INTEGER PRIMARY KEY REFERENCES pictures (id) ON DELETE CASCADE,
    t REAL NOT NULL,
    vote INTEGER NOT NULL CHECK (vote IN (-1, 1))
);
