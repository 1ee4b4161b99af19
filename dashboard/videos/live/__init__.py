"""Live: the camera."""
