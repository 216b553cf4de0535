"""What a user's program is held to while it runs: limits, files, network, stubs; and how it ended."""
