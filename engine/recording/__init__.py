"""A program run on a batch and recorded: the plan of array operations, and the tape of what they computed."""
