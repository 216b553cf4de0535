"""On the way back: through which weights, gates and masks."""
