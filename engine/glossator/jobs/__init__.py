"""Work on whole collections of files: resumable, isolated document by document, in constant memory."""
