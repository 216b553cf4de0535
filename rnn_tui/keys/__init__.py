"""What keys and commands are: one thing the user can do, and the lists of them."""
