"""What comes with a question beside its words: attachments, known by their bytes, and how it is to be answered."""
