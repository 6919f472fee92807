"""What comes from outside: collections, bitext and models; opened, checked and fingerprinted."""
