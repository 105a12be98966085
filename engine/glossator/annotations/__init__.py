"""What stands on a Doc: its layers, read and written in one place."""
