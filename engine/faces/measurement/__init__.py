"""Quality of faces, duplicates, and which belong to one person."""
