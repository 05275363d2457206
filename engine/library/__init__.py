"""Where photos and faces come from: PhotoPrism, Immich or a plain folder; never written to."""
