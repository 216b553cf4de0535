"""The numbers of a program, recorded as it makes them: traced arrays and numbers, what every operation was computed from, updates."""
