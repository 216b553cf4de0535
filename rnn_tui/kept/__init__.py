"""What outlives a run: settings, sessions, and what the app saves."""
