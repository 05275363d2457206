"""Where photos and faces come from: PhotoPrism's index, read by SQL, or a plain folder; never written to."""
