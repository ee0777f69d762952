"""The plots of results, a file for each: what is measured, and how that is drawn."""
