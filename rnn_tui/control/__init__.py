"""Between the screen and the debugger: what keys and clicks are calls on, and where the frame comes from. Knows no screen."""
