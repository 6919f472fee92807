"""Export: a checkpoint as a folder that others can load, with a card that says where it comes from."""
