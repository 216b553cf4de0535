"""The program made ready: run, repaired, its functions called, with a loss where it computes none."""
