"""The recipes that come with the project; ``python -m training.recipes`` lists them."""
