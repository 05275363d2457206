"""What Limner is made with, and does not need to run."""
