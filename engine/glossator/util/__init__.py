"""Small helpers that know nothing of annotating: messages, files, reading ahead."""
