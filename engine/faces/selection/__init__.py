"""Filtering faces and picking those to train with."""
