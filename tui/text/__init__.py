"""What is drawn without Textual, for screens and commands alike."""
