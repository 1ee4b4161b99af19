"""Architectures, checkpoint folders and the classifier."""
