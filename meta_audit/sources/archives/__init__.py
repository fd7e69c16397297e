"""Archives: tar and zip files, whose members are sources. Nothing is written to disk."""
