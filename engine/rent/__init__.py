"""Machines that are rented by the hour: found, created, known by a record here, and ended."""
