"""What a plan does to the tokens of a sentence and of its translation, to be looked at."""
