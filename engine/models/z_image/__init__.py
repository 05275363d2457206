"""Z-Image as a family of base models: a transformer that follows a rectified flow; Qwen3 reads prompts."""
