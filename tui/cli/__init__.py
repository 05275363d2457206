"""The command line: what every command uses. It imports no Textual."""
