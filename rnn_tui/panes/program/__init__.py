"""The program: its listing or source, the line that ran last, the number at the cursor."""
