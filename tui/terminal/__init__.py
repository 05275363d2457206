"""What this terminal can show: the driver, pictures, its characters."""
