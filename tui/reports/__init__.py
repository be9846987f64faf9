"""What the commands print: pure functions from data to text.  Never imports Textual."""
