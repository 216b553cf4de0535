"""What makes a bare function run: shapes, layouts and call recipes; and which network it is."""
