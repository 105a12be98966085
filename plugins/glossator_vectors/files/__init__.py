"""Files of vectors that other programs write, and their import into a folder of vectors."""
