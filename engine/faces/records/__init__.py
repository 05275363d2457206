"""What a project keeps of faces: decisions and measurements."""
