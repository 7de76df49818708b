"""The stages of the job, one a file; each reads and writes the run folder."""
