"""The cache of artifacts: keys are hashes of all that can change an artifact, and only whole artifacts are stored."""
