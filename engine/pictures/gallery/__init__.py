"""Painted pictures as they are listed, filtered, rated and exported."""
