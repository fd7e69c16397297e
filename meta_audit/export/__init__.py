"""Write all jobs that match to one file, as a stream: a module for each format."""
