"""The data folder of the workbench: what is where in it, its version, what is damaged, and how that is mended."""
