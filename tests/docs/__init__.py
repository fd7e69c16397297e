"""Documentation that is run: what it shows is what the program does."""
