"""Base models: which one a project uses, whether its folder is safe, what it predicts; a folder for each family."""
