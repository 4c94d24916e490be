"""The deployment guide as code: the checks of a directory, and the set-up steps that they call for."""
