"""A page on this computer that shows what the models see: names in a text, and word links of two."""
