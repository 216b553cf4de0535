"""A program that stops at its first slip, repaired in memory and followed on: everything that is wrong in it, in one go."""
