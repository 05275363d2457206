"""Other machines that are reached by ssh: a run goes there, is followed, and its files come home."""
