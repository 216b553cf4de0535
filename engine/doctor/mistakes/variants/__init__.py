"""Mistakes as edits of the reference's equations: the gradients that they compute are compared with the user's."""
