"""Videos: files in, what is in work, what is there; one of them in Review; the camera in Live."""
