"""The captioners that run a model, one module each, imported only in the job that captions; and what they share."""
