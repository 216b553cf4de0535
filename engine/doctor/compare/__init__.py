"""Arrays of one's own from a file, beside the engine's."""
