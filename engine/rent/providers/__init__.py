"""Those who rent machines out, a module each."""
