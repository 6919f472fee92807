"""`optical distill`: train a student on a bitext, to encode translations as the teacher encodes the sentences."""
