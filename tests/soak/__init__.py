"""Wild hands: random keys, clicks, sizes and texts in the app, on models of every kind (`make soak`)."""
