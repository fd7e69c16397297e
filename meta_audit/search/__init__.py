"""The find language (docs/find.md): read an expression, write it, and say what its times mean."""
