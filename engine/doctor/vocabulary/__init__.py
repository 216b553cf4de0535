"""What people call weights, states, gradients and sizes."""
