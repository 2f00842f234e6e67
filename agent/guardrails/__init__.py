"""What texts pass before models, people or the disk have them: no keys, no addresses that nobody gave, nothing that rings."""
