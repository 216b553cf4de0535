"""What people get wrong in a backward pass, as edits of a program."""
