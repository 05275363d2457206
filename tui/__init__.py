"""What is typed and seen in a terminal: the commands and the app, both thin callers of ``engine``."""
