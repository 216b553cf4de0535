"""What makes the pages and pictures of the documentation."""
