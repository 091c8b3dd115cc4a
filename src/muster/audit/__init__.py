"""Who did what: the record of what people changed."""
