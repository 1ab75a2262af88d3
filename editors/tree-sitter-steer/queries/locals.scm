; A program is one scope: order means nothing, and a name is defined once.

(program) @local.scope
(definition name: (identifier) @local.definition)
(identifier) @local.reference
