"""`python -m meta_audit`."""

from meta_audit.cli import main

if __name__ == "__main__":
    main()
