"""What is said: the report as text, JSON, and line by line for the screen."""
