"""Files of Limner's own: opened without following links, written whole or not at all, locked."""
