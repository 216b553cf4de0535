"""At the activation."""
