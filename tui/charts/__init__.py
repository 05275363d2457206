"""Charts of text: drawn without Textual, for the screens and for ``limner watch`` alike."""
