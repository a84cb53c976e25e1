"""The functions that check a week of each asset: they read the lake and call the checks of the core."""
