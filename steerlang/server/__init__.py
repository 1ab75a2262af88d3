"""The language server: what editors ask about a program that is being written. Needs pygls: `steerlang[lsp]`."""
