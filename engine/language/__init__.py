"""What an equation is: its text, its tree, its derivative and its value."""
