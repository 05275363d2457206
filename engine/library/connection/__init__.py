"""Reaching a library's server: TLS and its records, SSH tunnels, and what is said where it can't be reached."""
