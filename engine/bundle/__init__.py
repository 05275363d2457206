"""A project as one file, to carry to another machine, and its runs as one file, to carry home."""
