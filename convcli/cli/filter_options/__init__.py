"""The options of ``convcli filter``, by the headings of its help."""
