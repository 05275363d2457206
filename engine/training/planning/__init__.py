"""What a run will do and take, before it starts and while it runs."""
