"""All settings as a form."""
