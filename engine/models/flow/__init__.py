"""What families have in common that follow a rectified flow: a transformer paints, Qwen3 reads the prompts."""
