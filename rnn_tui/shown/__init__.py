"""All that the screen shows, as immutable values that panes draw and controllers make."""
