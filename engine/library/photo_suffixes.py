"""What the names of photos end in, and of other pictures, in lower case."""

from __future__ import annotations

PHOTOS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".avif")
"""Photos that are read."""

RAWS = (".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f", ".raw")
"""Cameras' raw files, which are not."""

OTHER_PICTURES = (".jp2", ".j2k", ".jpf", ".jpx", ".jxl", ".psd")
"""Pictures that are no raw files and are not read either."""
