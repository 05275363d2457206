"""What several screens use: the base of them all, overlays, dialogs."""
