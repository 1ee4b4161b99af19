"""The workbench in the browser: pages, the components they draw with, and the services behind them."""
