"""A network, its parameters, and the program of lines that one iteration runs."""
