"""Work on whole collections of files: resumable, in constant memory, one bad document never loses others."""
