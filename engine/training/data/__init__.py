"""What a run sees: images, buckets, masks, captions, latents."""
