"""What goes on beside the screens: following jobs and runs, collecting garbage while nobody types."""
