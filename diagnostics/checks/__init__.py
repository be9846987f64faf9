"""One file per check, or tight family of checks; the catalogue lists them."""
