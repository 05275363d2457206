"""The commands, one module a subject. None of them imports Textual."""
