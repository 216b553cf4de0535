"""What a corrected mistake is called."""
