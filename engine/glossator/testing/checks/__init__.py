"""The checks of the contract that every stage keeps."""
