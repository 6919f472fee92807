"""`optical export`: write a student as a folder that others can load, with a model card, and upload it to the hub."""
