"""Features of a demand series at the end of a week: the rows of `feature_table`."""
