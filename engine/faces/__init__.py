"""Faces: found in the library, opened, cropped, decided on."""
