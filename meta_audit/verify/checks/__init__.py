"""The numbered checks of `verify`, one file per subject."""
