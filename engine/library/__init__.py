"""Where photos and faces come from: PhotoPrism's index, read by SQL and never written to."""
