"""Screen 6: painted pictures and the queue."""
