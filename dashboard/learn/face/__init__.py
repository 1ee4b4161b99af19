"""The page Try a face: a face from anywhere, heatmaps for anything, and checks of the heatmaps."""
