"""Limner's engine: the work, without any screen.

Nothing in here imports Textual or ``tui``. Modules that need torch say so in their docstring and are
imported only inside job processes (see ``engine.jobs.worker``).
"""

__version__ = "0.1.0"
