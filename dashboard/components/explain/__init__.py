"""The Explain page: a face from anywhere, heatmaps for anything, and checks of the heatmaps."""
