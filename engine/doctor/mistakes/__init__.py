"""The catalogue of mistakes: one file each; `variants` computes what a mistake makes of the reference's gradients."""
