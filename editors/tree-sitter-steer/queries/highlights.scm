; Names of captures are those that Neovim and Helix share. The last pattern that fits a node counts.

(identifier) @variable

(comment) @comment
(header "steerlang" @keyword)
(header edition: (integer) @number)

(kind (identifier) @keyword)
(definition name: (identifier) @variable)

(call function: (identifier) @function)
(entry name: (identifier) @variable.parameter)
(member name: (identifier) @variable.member)

[(true) (false)] @boolean
(none) @constant.builtin
[(integer) (float) (quantity)] @number
[(string) (text)] @string
(raw_string) @string.regexp

[(and) (or) (not)] @keyword.operator
(comparison) @operator
["+" "-" "*" "/" ".." "..<" "="] @operator
["(" ")" "[" "]" "{" "}"] @punctuation.bracket
["," "."] @punctuation.delimiter
