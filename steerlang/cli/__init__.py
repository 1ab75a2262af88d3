"""The command line: one file per verb parses arguments, calls the api and hands results to a view."""
