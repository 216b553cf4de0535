"""The doctor: finds what is wrong in a backward pass that someone wrote by hand."""
