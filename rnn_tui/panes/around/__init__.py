"""What stands around every page: header, strip, notes, the card of a lesson."""
