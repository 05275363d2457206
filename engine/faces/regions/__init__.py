"""Names that other programs wrote into photos: read, turned upright, and put to the faces that were found."""
