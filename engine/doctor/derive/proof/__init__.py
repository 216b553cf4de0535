"""The derived lines put into the program and run; in functions, where the forward pass is; beside the gradients that are there already."""
