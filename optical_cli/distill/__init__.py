"""`optical distill`: the student learns to put a translation's tokens where the teacher put the sentence's."""
