"""The functions that make weeks of each asset: they read the lake, call the core and write the result.

Each is a generator of weeks with their results: nothing is made until it is iterated, as by `dict(weekly_demand(…))`.
"""
