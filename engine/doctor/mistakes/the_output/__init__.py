"""At the output."""
