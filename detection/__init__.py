"""Which language a text is in: a linear model on character n-grams, a file under one megabyte, numpy to run it."""
