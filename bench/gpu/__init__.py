"""Checks and measurements of one GPU: `make gpu`.

Transport, search, encoding and the embedded pair must give on the GPU what they give on the CPU; plans, trainings,
searches and encodings are timed against other libraries on the same GPU.
"""
