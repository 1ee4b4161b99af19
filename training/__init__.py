"""Training: recipes as data, a thin Lightning module, and the commands that turn one into a checkpoint folder."""
