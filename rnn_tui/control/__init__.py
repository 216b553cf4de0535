"""Between the screen and the debugger: keys and clicks call these objects, which make the frame to be drawn. Knows no screen."""
