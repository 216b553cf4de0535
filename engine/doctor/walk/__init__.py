"""The user's own run, line by line: what each line made, what the loss says about it, and the numbers it came from.

`executed` groups a record's values into lines that ran, `walk` moves among them, `terms` takes a number apart, `stops` are breakpoints,
`opening` runs a program.
"""
