"""The forward pass in one block: its statements up to the loss, what in it depends on the weights, what its loops fill."""
