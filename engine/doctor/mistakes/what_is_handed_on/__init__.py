"""On the way back: what is handed on to the step or the layer before."""
