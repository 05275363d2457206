"""PhotoPrism's index by SQL: MariaDB, MySQL or SQLite, read-only."""
