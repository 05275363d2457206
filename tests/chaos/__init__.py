"""Faults on purpose: processes killed at random instants, full disks, a database that goes away. ``make chaos``."""
