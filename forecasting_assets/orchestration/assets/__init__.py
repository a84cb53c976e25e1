"""The functions that make a week of each asset: they read the lake, call the core and write the result."""
