"""Makes a running model of a package, whatever format its weights have. In the model process only."""
