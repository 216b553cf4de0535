"""The doctor follows the user's own program: the loss is carried back over the record of its run, and each gradient is
looked up.

Nothing here knows a cell, a layout or the name of a gradient. `engine.doctor.recording` makes the records, in the
user's process.
"""
