"""Tasks that a language model was never trained for, by its prompt alone: classification, Winograd schemas, questions."""
