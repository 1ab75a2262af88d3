(definition) @class.outer
(definition value: (_) @class.inner)
(call) @function.outer
(arguments (_) @parameter.inner)
(comment) @comment.outer
