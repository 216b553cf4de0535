"""Values of the forward pass as they can be read on the way back."""
