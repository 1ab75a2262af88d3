[(definition) (arguments) (list) (record)] @fold
