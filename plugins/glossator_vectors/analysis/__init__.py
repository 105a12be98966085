"""What a folder of vectors covers, and which of its words are alike."""
