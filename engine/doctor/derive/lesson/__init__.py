"""The derived pass as a lesson: the order of its steps, and hints."""
