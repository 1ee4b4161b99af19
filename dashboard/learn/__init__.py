"""Learn: what this can and cannot do, and a face to try."""
