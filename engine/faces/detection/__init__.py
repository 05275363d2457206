"""Finding faces and telling whose they are, without a library's help."""
