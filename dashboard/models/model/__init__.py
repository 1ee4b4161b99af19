"""A model's page: one model's answers, one selection of faces, and views that share it."""
