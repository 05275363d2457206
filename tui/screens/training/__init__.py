"""Screen 4: the plan of a run, and how it goes."""
