[(arguments) (list) (record) (group)] @indent
[")" "]" "}"] @outdent
