"""The user's own program in a process of its own: as its user runs it, and its functions called one by one."""
