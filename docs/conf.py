"""The site of the documentation: `make site`."""

project = "rnn-tui"
author = "The rnn-tui authors"
extensions = ["myst_parser"]
smartquotes = False  # options and texts to be typed stand as they are typed
html_show_copyright = False
highlight_language = "none"  # blocks that name no language are commands and what they print
html_theme = "furo"
html_title = "rnn-tui"
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_inline"]
exclude_patterns = ["*.py"]
