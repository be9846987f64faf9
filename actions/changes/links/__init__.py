"""Links: which ones an operation speaks of, and what only programs say of bridges and pairs."""
