"""The parts of the Review page around the player."""
