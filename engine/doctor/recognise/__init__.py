"""Which functions are passes and how they are called, and which network a program computes."""
