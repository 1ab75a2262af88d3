"""What parts programs are shown in: the role of each token, a Pygments lexer, the TextMate grammar."""
