"""The doors: one file per noun in the URL, nothing but HTTP."""
