"""What several panes draw alike: the time axis, gains, the legend, sentences."""
