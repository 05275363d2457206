"""Runs as curves of braille dots."""
